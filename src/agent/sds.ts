// The secret discovery service of the agent's socket.

import type { Method } from '../grpc/call.ts';
import { sdsPath } from '../xds/agreed-names.ts';
import { ResourceEncoder } from '../xds/encode.ts';
import { createLayer, emptyLayer } from '../xds/layer.ts';
import type { DeltaHooks } from '../xds/proxy-status.ts';
import type { Snapshot, SnapshotSource } from '../xds/resources.ts';
import { serveDelta } from '../xds/server.ts';
import type { HeldSvid } from './identity-client.ts';
import { optionalTrustBundleSecret, svidSecret, trustBundleSecret } from './secrets.ts';

/** The present secrets of one workload. Until there are any, a proxy that asks simply waits. */
export class SecretStore implements SnapshotSource {
  readonly #encoder = new ResourceEncoder();
  readonly #listeners = new Set<() => void>();
  #snapshot: Snapshot = { shared: emptyLayer, own: emptyLayer };

  current(): Snapshot {
    return this.#snapshot;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(trustDomain: string, svid: HeldSvid): void {
    const secrets = [
      svidSecret(svid),
      trustBundleSecret(trustDomain, svid.anchors),
      optionalTrustBundleSecret(svid.anchors),
    ];
    const own = createLayer(secrets.map((secret) => this.#encoder.encode(secret)));
    this.#snapshot = { shared: emptyLayer, own };
    for (const listener of [...this.#listeners]) listener();
  }
}

export function sdsMethod(secrets: SecretStore, hooks: DeltaHooks): [string, Method] {
  return [sdsPath, { kind: 'stream', endless: true, handle: (call) => serveDelta(call, secrets, hooks) }];
}
