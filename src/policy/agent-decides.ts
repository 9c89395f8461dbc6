// What of a policy Envoy cannot decide, and the agent is asked for.

import type { AppProtocol } from '../model/mesh.ts';
import type { AuthorizationRequirement, AuthorizationRule } from './effective.ts';

/** The port a request is for. */
export interface PortContext {
  readonly port: number;
  readonly protocol: AppProtocol;
}

/** Whether a rule, as written or compiled, asks for more than Envoy's RBAC knows. */
export function isConditional({ token, condition }: { token?: unknown; condition?: unknown }): boolean {
  return token !== undefined || condition !== undefined;
}

/** Whether a rule can allow anything on a port: tokens and conditions, like methods and paths, are of HTTP only. */
function canApply(rule: AuthorizationRule, { port, protocol }: PortContext): boolean {
  if (protocol === 'tcp' && isConditional(rule)) return false;
  if (rule.to === undefined) return true;
  return rule.to.some(({ ports, methods, paths }) => {
    if (ports !== undefined && !ports.includes(port)) return false;
    return protocol !== 'tcp' || (methods === undefined && paths === undefined);
  });
}

/** Whether requests for a port are decided by the agent: some rule that can apply to it has a token or a condition. */
export function agentDecides(
  requirements: readonly AuthorizationRequirement[],
  context: PortContext,
): boolean {
  return requirements.some(({ rules }) =>
    rules.some((rule) => isConditional(rule) && canApply(rule, context)),
  );
}
