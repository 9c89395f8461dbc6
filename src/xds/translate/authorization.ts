// What a workload's agent decides by: the resource it is sent.

import { create } from '@bufbuild/protobuf';
import {
  type WorkloadAuthorization,
  WorkloadAuthorizationSchema,
} from '../../gen/proto/trellis/authz/v1/authorization_pb.ts';
import type { Workload } from '../../model/mesh.ts';
import { workloadSpiffeId } from '../../model/spiffe.ts';
import { type AuthorizationPolicy, authorizationPolicy } from '../../policy/authorize/policy.ts';
import type { AuthorizationRequirement, AuthorizationRule, EffectivePolicy } from '../../policy/effective.ts';
import type { MeshSettings } from './settings.ts';

/** The whole authorization of a workload, what Envoy decides of it included; see the .proto for the reason. */
export function translateAuthorization(
  { namespace, serviceAccount }: Workload,
  policy: EffectivePolicy,
  { trustDomain }: MeshSettings,
): WorkloadAuthorization {
  const workload = workloadSpiffeId(trustDomain, namespace, serviceAccount);
  return authorizationMessage(authorizationPolicy(policy, workload));
}

/** What authz/policy-message.ts reads. Entries of `from` become one: their principals are alternatives all the same. */
export function authorizationMessage(policy: AuthorizationPolicy): WorkloadAuthorization {
  return create(WorkloadAuthorizationSchema, {
    workload: policy.workload,
    requirements: policy.requirements.map(requirement),
    shadowRequirements: policy.shadowRequirements.map(requirement),
    hybridPolicies: [...policy.hybridPolicies],
    quarantined: [...policy.quarantined],
  });
}

function requirement({ policy, rules }: AuthorizationRequirement) {
  return { policy, rules: rules.map(rule) };
}

function rule({ from, to, token, condition }: AuthorizationRule) {
  return {
    principals: from.flatMap(({ principals }) => principals),
    to: to ?? [],
    ...(token === undefined ? {} : { token }),
    condition: condition ?? '',
  };
}
