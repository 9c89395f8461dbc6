// Every connection between proxies was set up with the hybrid group: Envoy's own counters say so, and so do the bytes
// of a handshake caught on the wire.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { type Hello, x25519MlKem768 } from '../hello.ts';
import { otherThan, type ProxyTls, readProxies } from '../tls-stats.ts';
import { tapOneCall } from './tap-call.ts';

const group = 'X25519MLKEM768';
const version = 'TLSv1.3';

export interface GroupObservation {
  readonly proxies: readonly ProxyTls[];
  readonly clientHello: Hello | undefined;
  readonly serverHello: Hello | undefined;
}

export const handshakeGroup: Check = {
  id: 'handshake-group',
  run: async (mesh) => {
    const wire = await tapOneCall(mesh);
    return judge({ proxies: await readProxies(mesh.services), ...wire });
  },
};

export function judge({ proxies, clientHello, serverHello }: GroupObservation): Verdict {
  const resumed = proxies.filter(({ accepted, opened }) => accepted.resumed + opened.resumed > 0);
  const handshakes = proxies.reduce((sum, { accepted }) => sum + accepted.handshakes, 0);
  return verdict(
    [
      ...otherThan(group, 'groups', proxies),
      ...otherThan(version, 'versions', proxies),
      unless(resumed.length === 0, `resumed sessions: ${resumed.map(({ name }) => name).join(', ')}`),
      wireProblem(clientHello, serverHello),
    ],
    `${version} with ${group} in all ${handshakes} handshakes of ${proxies.length} proxies; on the wire: offered and chosen 0x${x25519MlKem768.toString(16)} and nothing else`,
  );
}

function wireProblem(client: Hello | undefined, server: Hello | undefined): string | undefined {
  if (client === undefined || server === undefined) return 'no TLS handshake was seen on the wire';
  const seen = [...client.groups, ...client.keyShares, ...server.keyShares];
  const others = seen.filter((each) => each !== x25519MlKem768).map((each) => `0x${each.toString(16)}`);
  if (others.length > 0) return `on the wire: other groups: ${others.join(', ')}`;
  return unless(
    server.keyShares.length === 1 && client.groups.length === 1,
    'on the wire: no key share was chosen',
  );
}
