// API servers in memory: what they answer is up to the test.

import type { KubeClient, KubeRequest } from '../../src/sources/kubernetes/cluster/client.ts';

/** Answers every request by `handle`, which may throw or wait. Nothing can be watched. */
export class FakeKube implements KubeClient {
  readonly requests: KubeRequest[] = [];
  handle: (request: KubeRequest) => unknown;

  constructor(handle: FakeKube['handle'] = () => ({})) {
    this.handle = handle;
  }

  async json(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    return await this.handle(request);
  }

  stream(_request: KubeRequest): Promise<AsyncIterable<Buffer>> {
    return Promise.reject(new Error('nothing is watched'));
  }

  async close(): Promise<void> {}
}

/** The same with watches, which stay open. */
export class WatchedKube extends FakeKube {
  /** By path: sends a line to whoever watches. */
  readonly watches = new Map<string, (line: string) => void>();

  override async stream(request: KubeRequest): Promise<AsyncIterable<Buffer>> {
    const { path, signal } = request;
    this.requests.push(request);
    const stream = new TransformStream<Buffer, Buffer>();
    const writer = stream.writable.getWriter();
    this.watches.set(path, (line) => void writer.write(Buffer.from(line)));
    signal.addEventListener('abort', () => void writer.abort(signal.reason).catch(() => {}));
    return stream.readable;
  }
}
