// How the mesh says why it denied: in Envoy's RBAC, in the agent's answers, in refusals of outgoing calls.

/** In place of a policy where none speaks, and what holds is built in. */
const builtIn = 'mesh-default';

/**
 * `deny:<policy>[+<policy>…][:<what>…]`
 * @param policies `<namespace>/<name>` of those that deny; none: what is built in denies
 * @param what failed, from the general to the particular
 */
export function denialReason(policies: readonly string[], ...what: readonly string[]): string {
  return ['deny', policies.join('+') || builtIn, ...what].join(':');
}
