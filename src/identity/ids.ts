// SPIFFE IDs of Trellis' own parts.

/** The control plane, which agents check by name: any other identity of the mesh must not be able to stand in for it. */
export function controlPlaneSpiffeId(trustDomain: string): string {
  return `spiffe://${trustDomain}/trellis/control-plane`;
}

const agentPath = '/trellis/agent/';

export function agentSpiffeId(trustDomain: string, agentId: string): string {
  return `spiffe://${trustDomain}${agentPath}${agentId}`;
}

/** The agent id in the path of a SPIFFE ID; undefined when it is not an agent's. */
export function agentIdOf(path: string): string | undefined {
  return path.startsWith(agentPath) ? path.slice(agentPath.length) : undefined;
}
