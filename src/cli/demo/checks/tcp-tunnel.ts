// TCP goes through the mesh as well. A server that speaks first reaches whom the policy allows, and not one byte of it
// reaches anyone else.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { serviceNamed } from '../running-mesh.ts';
import { openTunnel, type TunnelAnswer } from '../workload-client.ts';

const ok = 200;
const forbidden = 403;
const service = 'portfolio';
/** What the ledger says to everyone who connects, before it is asked anything. */
const banner = 'ledger 1.0 ready\n';
const said = 'balance eur\n';

export interface TunnelObservation {
  /** `<namespace>/<name>` of the policy that should deny. */
  readonly policy: string;
  readonly allowed: TunnelAnswer;
  readonly denied: TunnelAnswer;
}

export const tcpTunnel: Check = {
  id: 'tcp-tunnel',
  run: async (mesh) => {
    const to = serviceNamed(mesh, service);
    const [port = 0] = to.tcpPorts;
    const [allowed, denied] = await Promise.all(
      ['execution', 'gateway'].map((from) => openTunnel(serviceNamed(mesh, from), to, port, said)),
    );
    if (allowed === undefined || denied === undefined) throw new Error('no tunnel was tried');
    return judge({ policy: `${to.namespace}/${to.name}`, allowed, denied });
  },
};

export function judge({ policy, allowed, denied }: TunnelObservation): Verdict {
  const text = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1').slice(0, 40));
  const leaked = denied.head + denied.received.toString('latin1') + denied.echoed.toString('latin1');
  return verdict(
    [
      unless(allowed.status === ok, `execution: HTTP ${allowed.status}`),
      unless(allowed.received.toString() === banner, `execution heard ${text(allowed.received)} first`),
      unless(
        allowed.echoed.toString() === said,
        `execution said ${JSON.stringify(said)} and heard ${text(allowed.echoed)}`,
      ),
      unless(denied.status === forbidden, `gateway: HTTP ${denied.status}`),
      unless(denied.head.includes(`[deny:${policy}]`), `gateway was not told that ${policy} denied`),
      unless(!leaked.includes(banner.slice(0, 6)), 'the banner reached gateway'),
      unless(denied.echoed.length === 0, `gateway heard ${text(denied.echoed)} after the denial`),
    ],
    `execution hears the ledger of ${service} speak first and talks to it; gateway gets 403 by ${policy} and not a byte of it`,
  );
}
