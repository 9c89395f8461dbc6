// Every certificate that was shown in a handshake was an ML-DSA-65 one: Envoy counts the peer's signature on both sides.
// And no proxy would have accepted another one: its ClientHello on the wire asks for nothing else. And none gives out
// tickets, with which the next handshake would show no certificate at all.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { type Hello, mldsa65 } from '../hello.ts';
import { type Attempt, attempt } from '../tls-client.ts';
import { otherThan, type ProxyTls, readProxies } from '../tls-stats.ts';
import { tapOneCall } from './tap-call.ts';

const algorithm = 'mldsa65';

export interface SignatureObservation {
  readonly proxies: readonly ProxyTls[];
  readonly clientHello: Hello | undefined;
  /** One of each proxy, by a client that would take tickets. */
  readonly attempts: ReadonlyMap<string, Attempt>;
}

export const handshakeSignature: Check = {
  id: 'handshake-signature',
  run: async (mesh) => {
    const { clientHello } = await tapOneCall(mesh);
    const attempts = await Promise.all(
      mesh.services.map(async (each) => [each.name, await attempt(await mesh.probe.client(each))] as const),
    );
    const proxies = await readProxies(mesh.services);
    return judge({ proxies, clientHello, attempts: new Map(attempts) });
  },
};

export function judge({ proxies, clientHello, attempts }: SignatureObservation): Verdict {
  const signatures = proxies.reduce(
    (sum, { accepted, opened }) =>
      sum + (accepted.signatures.get(algorithm) ?? 0) + (opened.signatures.get(algorithm) ?? 0),
    0,
  );
  const asked = clientHello?.signatures ?? [];
  return verdict(
    [
      ...otherThan(algorithm, 'signatures', proxies),
      ...[...attempts].map(([name, seen]) =>
        seen.kind === 'answered'
          ? unless(!seen.ticket, `${name} gives out session tickets`)
          : `${name}: ${seen.kind}: ${seen.reason}`,
      ),
      unless(attempts.size === proxies.length, 'not every proxy was asked for a ticket'),
      unless(
        asked.length === 1 && asked[0] === mldsa65,
        `on the wire: accepts the signatures ${asked.map((each) => `0x${each.toString(16)}`).join(', ') || 'none'}`,
      ),
    ],
    `${algorithm} in all ${signatures} signatures that ${proxies.length} proxies have seen, of clients and servers; on the wire: 0x${mldsa65.toString(16)} and nothing else is accepted; no session tickets`,
  );
}
