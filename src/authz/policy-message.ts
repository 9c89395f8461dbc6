// From the resource that the control plane sends to the policy it stands for. Strict: an agent that leaves out what it does
// not understand enforces a laxer policy than was written, so it refuses the whole and keeps what it has.

import { fromBinary, type Message } from '@bufbuild/protobuf';
import { CryptoError } from '../crypto/errors.ts';
import { parseSpiffeId } from '../crypto/spiffe-id.ts';
import {
  type Operation,
  type Requirement,
  type Rule,
  type Token,
  WorkloadAuthorizationSchema,
} from '../gen/proto/trellis/authz/v1/authorization_pb.ts';
import { maxAudienceChars, tokenTypes } from '../identity/tokens/types.ts';
import type { NamespacedName } from '../model/mesh.ts';
import type { AuthorizationPolicy } from '../policy/authorize/policy.ts';
import { maxConditionLength } from '../policy/condition/limits.ts';
import type { AuthorizationRequirement, AuthorizationRule } from '../policy/effective.ts';
import { AuthzError } from './errors.ts';

type Target = NonNullable<AuthorizationRule['to']>[number];
type Demand = NonNullable<AuthorizationRule['token']>;

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

const policyName = /^[a-z0-9.-]{1,253}\/[a-z0-9.-]{1,253}$/;
/** What a glob is made of; what it means is path-matcher.ts' affair. */
const glob = /^\/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$/;
/** As in the schema of QuantumSecurityPolicy. */
const maxGlobChars = 1024;

/** @throws AuthzError ERR_AUTHZ_POLICY */
export function decodeAuthorization(resource: Uint8Array): AuthorizationPolicy {
  const message = decoded(resource);
  refuseUnknown(message);
  return {
    workload: spiffeId(message.workload),
    requirements: message.requirements.map(requirement),
    shadowRequirements: message.shadowRequirements.map(requirement),
    hybridPolicies: message.hybridPolicies.map(namespacedName),
    quarantined: message.quarantined.map(spiffeId),
  };
}

function decoded(resource: Uint8Array) {
  try {
    return fromBinary(WorkloadAuthorizationSchema, resource);
  } catch (error) {
    throw new AuthzError('ERR_AUTHZ_POLICY', 'the resource is no WorkloadAuthorization', { cause: error });
  }
}

/** A field of a later version may well narrow what the others allow. */
function refuseUnknown(message: Message): void {
  if (message.$unknown !== undefined && message.$unknown.length > 0) {
    throw refused(
      'a field that this version does not know; bring the agent to the version of the control plane',
    );
  }
}

function requirement(message: Requirement): AuthorizationRequirement {
  refuseUnknown(message);
  return { policy: namespacedName(message.policy), rules: message.rules.map(rule) };
}

function rule(message: Rule): AuthorizationRule {
  refuseUnknown(message);
  const { principals, to, token: demand, condition } = message;
  if (principals.length === 0) throw refused('a rule without principals');
  if (condition.length > maxConditionLength) throw refused('a condition that is too long');
  return {
    from: [{ principals: principals.map(principal) }],
    ...(to.length === 0 ? {} : { to: to.map(operation) }),
    ...(demand === undefined ? {} : { token: token(demand) }),
    ...(condition === '' ? {} : { condition }),
  };
}

function operation(message: Operation): Target {
  refuseUnknown(message);
  const { ports, paths } = message;
  if (ports.length + message.methods.length + paths.length === 0)
    throw refused('an operation that says nothing');
  return {
    ...(ports.length === 0 ? {} : { ports: ports.map(port) }),
    ...(message.methods.length === 0
      ? {}
      : { methods: message.methods.map((method) => oneOf(methods, method, 'a method')) }),
    ...(paths.length === 0 ? {} : { paths: paths.map(path) }),
  };
}

function token(message: Token): Demand {
  refuseUnknown(message);
  const { types, audiences, subjects } = message;
  return {
    ...(types.length === 0 ? {} : { types: types.map((type) => oneOf(tokenTypes, type, 'a type of token')) }),
    ...(audiences.length === 0 ? {} : { audiences: audiences.map(audience) }),
    ...(subjects.length === 0 ? {} : { subjects: subjects.map(principal) }),
  };
}

function namespacedName(name: string): NamespacedName {
  if (!policyName.test(name)) throw refused('a policy name that is not <namespace>/<name>');
  return name as NamespacedName;
}

/** `*`, a SPIFFE ID, or one whose last segment is `*`. */
function principal(pattern: string): string {
  if (pattern === '*') return pattern;
  if (!pattern.endsWith('/*')) return spiffeId(pattern);
  checkSpiffeId(pattern.slice(0, -2));
  return pattern;
}

function spiffeId(id: string): string {
  if (checkSpiffeId(id).path === '')
    throw refused('a SPIFFE ID that names a trust domain instead of a workload');
  return id;
}

function checkSpiffeId(id: string) {
  try {
    return parseSpiffeId(id);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new AuthzError('ERR_AUTHZ_POLICY', `the policy is refused: ${error.message}`, { cause: error });
  }
}

function port(number: number): number {
  if (number < 1 || number > 65535) throw refused('a port that does not exist');
  return number;
}

function path(pattern: string): string {
  if (pattern.length > maxGlobChars || !glob.test(pattern)) throw refused('a path that is no glob');
  return pattern;
}

function audience(name: string): string {
  if (name === '' || name.length > maxAudienceChars) throw refused('an audience that is empty or too long');
  return name;
}

function oneOf<Value extends string>(known: readonly Value[], value: string, what: string): Value {
  const found = known.find((each) => each === value);
  if (found === undefined) throw refused(`${what} that this version does not know`);
  return found;
}

function refused(what: string): AuthzError {
  return new AuthzError('ERR_AUTHZ_POLICY', `the policy has ${what}`);
}
