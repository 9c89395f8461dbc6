// Policies and calls over a small world, so that they meet; and what a policy decides, written down as plainly as possible.

import fc from 'fast-check';
import { type MeshState, namespacedName, type Policy, type Workload } from '../../../src/model/mesh.ts';
import { compareText } from '../../../src/model/problem.ts';
import {
  type AuthorizationRequirement,
  type AuthorizationRule,
  acceptsAnonymous,
  type EffectivePolicy,
} from '../../../src/policy/effective.ts';
import { globMatches } from '../../support/glob.ts';

type Spec = Policy['spec'];

export const rootNamespace = 'trellis-system';
const mesh = 'spiffe://cluster.local/ns';
export const server: Workload = {
  namespace: 'shop',
  name: 'server',
  uid: 'uid',
  labels: { app: 'server' },
  serviceAccount: 'server',
  addresses: ['10.0.0.2'],
  ports: [],
  meshed: true,
};
export const serverId = `${mesh}/shop/sa/server`;
const identities = [`${mesh}/shop/sa/a`, `${mesh}/shop/sa/b`, `${mesh}/other/sa/a`];
const hosts = ['a.example', 'b.example'];
/** What each of them reads is put into the query of a call for which it holds. */
const conditions = ["request.query.contains('one')", "request.query.contains('two')"];

const pattern = fc.constantFrom('*', `${mesh}/shop/*`, ...identities);
const subset = <T>(values: readonly T[]) => fc.subarray([...values], { minLength: 1 });

const target = fc.record(
  {
    ports: subset([80, 90]),
    methods: subset(['GET', 'POST'] as const),
    paths: subset(['/a', '/a/**', '/*', '/b/*/c']),
  },
  { requiredKeys: [] },
);

const token = fc.record(
  {
    types: subset(['ML-DSA', 'JWT-SVID'] as const),
    audiences: subset([serverId, 'other']),
    subjects: fc.array(pattern, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const from = fc.array(fc.record({ principals: fc.array(pattern, { minLength: 1, maxLength: 2 }) }), {
  minLength: 1,
  maxLength: 2,
});
const to = fc.array(target, { minLength: 1, maxLength: 2 });

/** Mostly of the kind that Envoy decides alone. */
const rule = fc.oneof(
  { arbitrary: fc.record({ from, to }, { requiredKeys: ['from'] }), weight: 3 },
  fc.record(
    { from, to, token: fc.oneof(fc.constant({}), token), condition: fc.constantFrom(...conditions) },
    { requiredKeys: ['from'] },
  ),
);

const exception = fc.record({
  host: fc.constantFrom(...hosts),
  postQuantumEncryption: fc.constant('preferred' as const),
  reason: fc.constant('why'),
});

export const spec: fc.Arbitrary<Spec> = fc.record(
  {
    enforcement: fc.constantFrom('enforce', 'enforce', 'audit', 'warn'),
    selector: fc.constantFrom({ matchLabels: { app: 'server' } }, { matchLabels: { app: 'client' } }),
    postQuantumEncryption: fc.constantFrom('required', 'preferred', 'disabled'),
    quantumAuthentication: fc.constantFrom('hybrid', 'enabled', 'optional', 'disabled'),
    complianceLevel: fc.constantFrom('FIPS-140-3-L3', 'FIPS-140-3-L3', 'BSI-TR-02102', 'none', 'CNSA-2.0'),
    authorization: fc.array(rule, { maxLength: 3 }),
    exceptions: fc.array(exception, { maxLength: 3 }),
    quarantine: fc.subarray([...identities, serverId], { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

/** Policies of any namespace, each with a name of its own. */
export function policies(max: number, prefix: string): fc.Arbitrary<Policy[]> {
  const namespace = fc.constantFrom('shop', 'shop', rootNamespace, 'other');
  return fc
    .array(fc.record({ namespace, spec }), { maxLength: max })
    .map((list) => list.map((each, index) => ({ ...each, name: `${prefix}${index}` })));
}

/** Speaks about every field in the most permissive way, so that what the built-in defaults add is out of the picture. */
export const permissive: Policy = {
  namespace: 'shop',
  name: 'permissive',
  spec: { postQuantumEncryption: 'disabled', quantumAuthentication: 'disabled' },
};

/** Sorted by name, as the model makes every map of a state. */
export function stateOf(list: readonly Policy[]): MeshState {
  const sorted = list.toSorted((a, b) => compareText(namespacedName(a), namespacedName(b)));
  return {
    trustDomain: 'cluster.local',
    rootNamespace,
    workloads: new Map(),
    services: new Map(),
    policies: new Map(sorted.map((each) => [namespacedName(each), each])),
    quantumServices: new Map(),
  };
}

/** Something that a workload may be asked to allow. */
export type Question =
  | { readonly about: 'call'; readonly call: Call }
  /** Calling a host outside the mesh. */
  | { readonly about: 'egress'; readonly host: string }
  /** Connections no better than this. */
  | { readonly about: 'encryption'; readonly level: 'required' | 'preferred' | 'disabled' }
  | { readonly about: 'peer'; readonly proves: Proof };

export interface Call {
  /** Undefined: no certificate. */
  readonly principal: string | undefined;
  readonly counterSigned: boolean;
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly method: string;
  readonly path: string;
  /** Verified already. */
  readonly token: { readonly type: string; readonly audience: string; readonly subject: string } | undefined;
  /** The conditions that hold. */
  readonly holds: readonly string[];
}

/** The path with the query that makes true what shall be. */
export function pathOf({ path, holds }: Call): string {
  const query = holds.map((condition) => (condition === conditions[0] ? 'one' : 'two')).join('&');
  return query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`;
}

export const call: fc.Arbitrary<Call> = fc.record({
  principal: fc.constantFrom(undefined, ...identities),
  counterSigned: fc.constantFrom(true, true, false),
  port: fc.constantFrom(80, 90),
  protocol: fc.constantFrom('http', 'http', 'tcp'),
  method: fc.constantFrom('GET', 'POST'),
  path: fc.constantFrom('/a', '/a/b', '/c', '/ab', '/c/d', '/b/x/c', '/b/x/cc', '/a?q'),
  token: fc.option(
    fc.record({
      type: fc.constantFrom('ML-DSA', 'JWT-SVID'),
      audience: fc.constantFrom(serverId, 'other'),
      subject: fc.constantFrom(...identities),
    }),
    { nil: undefined },
  ),
  holds: fc.subarray([...conditions]),
});

export const question: fc.Arbitrary<Question> = fc.oneof(
  { arbitrary: call.map((each) => ({ about: 'call' as const, call: each })), weight: 5 },
  fc.constantFrom(...hosts).map((host) => ({ about: 'egress' as const, host })),
  fc
    .constantFrom('required' as const, 'preferred' as const, 'disabled' as const)
    .map((level) => ({ about: 'encryption' as const, level })),
  fc
    .constantFrom('nothing' as const, 'identity' as const, 'identity twice' as const)
    .map((proves) => ({ about: 'peer' as const, proves })),
);

/** Whether one policy that selects the workload allows it, from its spec and without any merging. */
export function allowedBy({ namespace, spec: own }: Policy, asked: Question): boolean {
  if ((own.enforcement ?? 'enforce') !== 'enforce') return true;
  const quarantined = namespace === rootNamespace ? (own.quarantine ?? []) : [];
  // Two ways to close a workload altogether.
  if (quarantined.includes(serverId) || own.complianceLevel === 'CNSA-2.0') return false;
  const encryption = own.postQuantumEncryption ?? 'disabled';
  switch (asked.about) {
    case 'egress':
      return encryption !== 'required' || (own.exceptions ?? []).some(({ host }) => host === asked.host);
    case 'encryption':
      return levels.indexOf(asked.level) >= levels.indexOf(encryption);
    case 'peer':
      return isProofEnough(own, asked.proves);
    case 'call':
      return allowsCallAlone(own, quarantined, asked.call);
  }
}

function allowsCallAlone(own: Spec, quarantined: readonly string[], asked: Call): boolean {
  const { principal } = asked;
  if (!isProofEnough(own, proofOf(asked))) return false;
  if (principal !== undefined && quarantined.includes(principal)) return false;
  return own.authorization?.some((each) => ruleMatches(each, asked)) ?? true;
}

type Proof = 'nothing' | 'identity' | 'identity twice';

function proofOf({ principal, counterSigned }: Call): Proof {
  if (principal === undefined) return 'nothing';
  return counterSigned ? 'identity twice' : 'identity';
}

function isProofEnough({ quantumAuthentication }: Spec, proves: Proof): boolean {
  if (quantumAuthentication === 'hybrid') return proves === 'identity twice';
  return quantumAuthentication !== 'enabled' || proves !== 'nothing';
}

/** Whether the workload allows it. */
export function allows(policy: EffectivePolicy, asked: Question): boolean {
  if (policy.conflicts.length > 0) return false;
  switch (asked.about) {
    case 'call':
      return allowsCall(policy, asked.call);
    case 'egress':
      return policy.postQuantumEncryption !== 'required' || policy.exemptHosts.includes(asked.host);
    case 'encryption':
      return levels.indexOf(asked.level) >= levels.indexOf(policy.postQuantumEncryption);
    case 'peer':
      return acceptsPeer(policy, asked.proves);
  }
}

const levels = ['disabled', 'preferred', 'required'] as const;

function acceptsPeer(policy: EffectivePolicy, proves: Proof): boolean {
  if (proves === 'nothing') return acceptsAnonymous(policy);
  return proves === 'identity twice' || policy.quantumAuthentication !== 'hybrid';
}

function allowsCall(policy: EffectivePolicy, asked: Call): boolean {
  const { principal } = asked;
  if (!acceptsPeer(policy, proofOf(asked))) return false;
  if (principal !== undefined && policy.quarantine.has(principal)) return false;
  return satisfies(policy.requirements, asked);
}

/** Whether each requirement has a rule that matches. */
export function satisfies(requirements: readonly AuthorizationRequirement[], asked: Call): boolean {
  return requirements.every(({ rules }) => rules.some((each) => ruleMatches(each, asked)));
}

function ruleMatches({ from, to, token: demand, condition }: AuthorizationRule, asked: Call): boolean {
  const isHttp = asked.protocol === 'http';
  return (
    from.some(({ principals }) => principals.some((each) => isPrincipal(each, asked.principal))) &&
    (to === undefined || to.some((each) => targetMatches(each, asked))) &&
    (demand === undefined || (isHttp && tokenMatches(demand, asked))) &&
    (condition === undefined || (isHttp && asked.holds.includes(condition)))
  );
}

function isPrincipal(wanted: string, principal: string | undefined): boolean {
  if (principal === undefined) return false;
  if (wanted === '*') return true;
  return wanted.endsWith('/*') ? principal.startsWith(wanted.slice(0, -1)) : principal === wanted;
}

type Target = NonNullable<AuthorizationRule['to']>[number];

function targetMatches({ ports, methods, paths }: Target, asked: Call): boolean {
  const isHttp = asked.protocol === 'http';
  return (
    (ports === undefined || ports.includes(asked.port)) &&
    (methods === undefined || (isHttp && methods.some((method) => method === asked.method))) &&
    (paths === undefined || (isHttp && paths.some((glob) => globMatches(glob, asked.path))))
  );
}

type Demand = NonNullable<AuthorizationRule['token']>;

function tokenMatches({ types, audiences, subjects }: Demand, { token: shown, principal }: Call): boolean {
  return (
    shown !== undefined &&
    (types ?? ['ML-DSA']).some((type) => type === shown.type) &&
    (audiences ?? [serverId]).includes(shown.audience) &&
    (subjects === undefined
      ? shown.subject === principal
      : subjects.some((each) => isPrincipal(each, shown.subject)))
  );
}
