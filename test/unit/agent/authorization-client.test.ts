// The agent's own discovery stream, against the server it talks to.

import { create, fromBinary } from '@bufbuild/protobuf';
import { describe, expect, onTestFinished, test } from 'vitest';
import { followAuthorization } from '../../../src/agent/authorization-client.ts';
import { WorkloadAuthorizationSchema } from '../../../src/gen/proto/trellis/authz/v1/authorization_pb.ts';
import { authorizationDiscoveryPath } from '../../../src/xds/agreed-names.ts';
import { ResourceEncoder } from '../../../src/xds/encode.ts';
import { createLayer, emptyLayer } from '../../../src/xds/layer.ts';
import type { DeltaHooks } from '../../../src/xds/proxy-status.ts';
import type { Snapshot, SnapshotSource } from '../../../src/xds/resources.ts';
import { serveDelta } from '../../../src/xds/server.ts';
import { until } from '../../support/until.ts';
import { http2Session, startServer } from '../grpc/support.ts';

const encoder = new ResourceEncoder();

function authorizing(workload: string): Snapshot {
  const resource = encoder.encode(create(WorkloadAuthorizationSchema, { workload }));
  return { shared: emptyLayer, own: createLayer([resource]) };
}

const nothing: Snapshot = { shared: emptyLayer, own: emptyLayer };

class Source implements SnapshotSource {
  readonly listeners = new Set<() => void>();
  snapshot: Snapshot;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
  }

  current(): Snapshot {
    return this.snapshot;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  update(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    for (const listener of this.listeners) listener();
  }
}

interface Followed {
  /** The workload of everything that was adopted; undefined for "there is none any more". */
  readonly adopted: (string | undefined)[];
  readonly failures: unknown[];
  readonly nacks: string[];
  readonly acks: () => number;
  readonly streams: () => number;
  readonly headers: () => unknown;
  readonly cut: () => void;
}

async function follow(
  source: Source,
  refuse: (workload: string) => boolean = () => false,
): Promise<Followed> {
  const nacks: string[] = [];
  let acks = 0;
  let streams = 0;
  let headers: unknown;
  const hooks: DeltaHooks = { onNack: ({ message }) => nacks.push(message), onAck: () => acks++ };
  const { port } = await startServer({
    [authorizationDiscoveryPath]: {
      kind: 'stream',
      endless: true,
      handle: (call) => {
        streams += 1;
        headers = call.headers['x-trellis-workload'];
        return serveDelta(call, source, hooks);
      },
    },
  });
  let session = await http2Session(port);
  const stop = new AbortController();
  const adopted: (string | undefined)[] = [];
  const failures: unknown[] = [];
  const ended = followAuthorization({
    ready: async () => {
      if (session.destroyed) session = await http2Session(port);
      return session;
    },
    headers: () => ({ 'x-trellis-workload': 'shop/server' }),
    adopt: (resource) => {
      const workload =
        resource === undefined ? undefined : fromBinary(WorkloadAuthorizationSchema, resource).workload;
      if (workload !== undefined && refuse(workload)) throw new Error(`no use for ${workload}`);
      adopted.push(workload);
    },
    onFailure: (error) => failures.push(error),
    random: () => 0,
    signal: stop.signal,
  });
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return {
    adopted,
    failures,
    nacks,
    acks: () => acks,
    streams: () => streams,
    headers: () => headers,
    cut: () => session.destroy(),
  };
}

describe('the resource of the workload', () => {
  test('is adopted, acknowledged, and adopted again when it changes', async () => {
    const source = new Source(authorizing('a'));
    const followed = await follow(source);
    await until('the first', () => followed.acks() === 1);
    source.update(authorizing('b'));
    await until('the second', () => followed.acks() === 2);
    expect(followed.adopted).toEqual(['a', 'b']);
    expect(followed.headers()).toBe('shop/server');
  });

  test('is given up when there is none any more', async () => {
    const source = new Source(authorizing('a'));
    const followed = await follow(source);
    await until('the first', () => followed.acks() === 1);
    source.update(nothing);
    await until('the end of it', () => followed.acks() === 2);
    expect(followed.adopted).toEqual(['a', undefined]);
  });

  test('that cannot be used is refused, with the reason, and the next one is taken', async () => {
    const source = new Source(authorizing('bad'));
    const followed = await follow(source, (workload) => workload === 'bad');
    await until('the refusal', () => followed.nacks.length > 0);
    expect(followed.nacks).toEqual(['no use for bad']);
    source.update(authorizing('good'));
    await until('the good one', () => followed.adopted.includes('good'));
  });
});

describe('a stream that ends', () => {
  test('is opened again, and what is held is not sent again', async () => {
    const source = new Source(authorizing('a'));
    const followed = await follow(source);
    await until('the first', () => followed.acks() === 1);
    followed.cut();
    await until('the second stream', () => followed.streams() === 2);
    source.update(authorizing('b'));
    await until('the change', () => followed.adopted.includes('b'));
    expect(followed.adopted).toEqual(['a', 'b']);
    expect(followed.failures).not.toHaveLength(0);
  });

  test('after a refusal is sent what was in use before it, when that is in force again', async () => {
    const source = new Source(authorizing('a'));
    const followed = await follow(source, (workload) => workload === 'bad');
    await until('the first', () => followed.acks() === 1);
    source.update(authorizing('bad'));
    await until('the refusal', () => followed.nacks.length === 1);
    followed.cut();
    source.update(authorizing('a'));
    await until('the old one', () => followed.adopted.length === 2);
    expect(followed.adopted).toEqual(['a', 'a']);
  });
});
