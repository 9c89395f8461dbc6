// The decision, as slowly and obviously as the words of the CRD say it: what the compiled one is compared with. Nothing is
// shared with it but the types, and the CEL library, which here is given whole objects as a user of it would.

import { type CelInput, run } from '@bufbuild/cel';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { AuthorizationPolicy } from '../../../src/policy/authorize/policy.ts';
import type { AuthorizationRequirement, AuthorizationRule } from '../../../src/policy/effective.ts';
import { globMatches } from '../glob.ts';

export interface PlainRequest {
  readonly principal: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** Name and value, in order. */
  readonly headers: readonly (readonly [string, string])[];
}

export interface PlainToken {
  readonly type: 'ML-DSA' | 'JWT-SVID';
  readonly subject: string;
  readonly audience: string;
  readonly claims: Readonly<Record<string, CelInput>>;
}

/** What a condition reads, said by whoever made it up. */
export interface ConditionFacts {
  readonly headers: readonly string[];
  readonly token: boolean;
}

export interface ReferenceContext {
  readonly now: Date;
  /** Of every token there is: what verifying comes to. */
  readonly tokens: ReadonlyMap<string, PlainToken | string>;
  readonly facts: (condition: string) => ConditionFacts;
}

export interface ReferenceDenial {
  readonly policy: string;
  readonly rule: number | undefined;
  readonly cause: string;
}

/** `undefined`: allowed. */
export function referenceDecision(
  policy: AuthorizationPolicy,
  request: PlainRequest,
  context: ReferenceContext,
): { readonly denial: ReferenceDenial | undefined; readonly shadow: readonly ReferenceDenial[] } {
  const judge = (requirement: AuthorizationRequirement) =>
    judgeRequirement(requirement, {
      ...context,
      request,
      workload: policy.workload,
      quarantined: policy.quarantined,
    });
  const denials = policy.requirements.map(judge).filter((denial) => denial !== undefined);
  return {
    denial: denials[0],
    shadow: policy.shadowRequirements.map(judge).filter((denial) => denial !== undefined),
  };
}

interface Case extends ReferenceContext {
  readonly request: PlainRequest;
  readonly workload: string;
  readonly quarantined: readonly string[];
}

/** "As soon as one policy with this field selects a workload, what no rule of that policy allows is denied." */
function judgeRequirement(
  { policy, rules }: AuthorizationRequirement,
  input: Case,
): ReferenceDenial | undefined {
  const about = rules.flatMap((rule, index) => (isAbout(rule, input) ? [{ rule, index }] : []));
  const refusals = about.map(({ rule, index }) => ({ index, cause: refusal(rule, input) }));
  if (refusals.some(({ cause }) => cause === undefined)) return undefined;
  const [first] = refusals;
  return { policy, rule: first?.index, cause: first?.cause ?? 'no-rule' };
}

/** "One entry of from and (when to is given) one entry of to"; "like methods and paths, both only match HTTP". */
function isAbout({ from, to, token, condition }: AuthorizationRule, { request }: Case): boolean {
  const isHttp = request.method !== 'CONNECT';
  if (!isHttp && (token !== undefined || condition !== undefined)) return false;
  if (!from.some(({ principals }) => principals.some((pattern) => names(pattern, request.principal))))
    return false;
  if (to === undefined) return true;
  return to.some(({ ports, methods, paths }) => {
    const port = ports === undefined || ports.some((each) => each === request.port);
    const method = methods === undefined || (isHttp && methods.some((each) => each === request.method));
    const path = paths === undefined || (isHttp && paths.some((glob) => globMatches(glob, request.path)));
    return port && method && path;
  });
}

/** "A SPIFFE ID, a SPIFFE ID prefix ending in /*, or * for anyone who proves an identity." */
function names(pattern: string, id: string): boolean {
  if (id === '') return false;
  if (pattern === '*') return true;
  if (!pattern.endsWith('/*')) return pattern === id;
  const above = pattern.split('/').slice(0, -1);
  return id.split('/').length > above.length && above.every((part, index) => id.split('/')[index] === part);
}

function refusal(rule: AuthorizationRule, input: Case): string | undefined {
  const { condition } = rule;
  const readsToken = condition !== undefined && input.facts(condition).token;
  const steps = [
    () => (condition === undefined || readsToken ? undefined : refuseCondition(condition, input, undefined)),
    () => refuseToken(rule, input),
    () => {
      const presented = presentedToken(input);
      if (condition === undefined || !readsToken || typeof presented === 'string') return undefined;
      return refuseCondition(condition, input, presented);
    },
  ];
  return steps.map((step) => step()).find((cause) => cause !== undefined);
}

function presentedToken({ request, tokens }: Case): PlainToken | string {
  const values = request.headers.filter(([name]) => name === 'authorization').map(([, value]) => value);
  if (values.length > 1) return 'duplicate-header';
  const [scheme, ...rest] = (values[0] ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || rest.length === 0) return 'token-missing';
  return tokens.get(rest.join(' ')) ?? 'token-malformed';
}

/** "{} asks for an ML-DSA workload token of the caller itself, made for this workload." */
function refuseToken({ token }: AuthorizationRule, input: Case): string | undefined {
  if (token === undefined) return undefined;
  const presented = presentedToken(input);
  if (typeof presented === 'string') return presented;
  if (input.quarantined.includes(presented.subject)) return 'token-quarantined';
  const { types = ['ML-DSA'], audiences = [input.workload], subjects } = token;
  if (!types.some((type) => type === presented.type)) return 'token-type';
  if (!audiences.some((audience) => audience === presented.audience)) return 'token-audience';
  const own = presented.subject === input.request.principal;
  const named = subjects === undefined ? own : subjects.some((pattern) => names(pattern, presented.subject));
  return named ? undefined : 'token-subject';
}

function refuseCondition(condition: string, input: Case, token: PlainToken | undefined): string | undefined {
  const { request, now, workload } = input;
  const read = input.facts(condition).headers;
  const [path = '', ...query] = request.path.split('?');
  // "A path in which a server that knows path parameters could still find a `..` denies."
  if (condition.includes('request.path') && /\/\.\.?(;|%3b)/i.test(path)) return 'ambiguous-path';
  const headers = readHeaders(read, request);
  if (typeof headers === 'string') return headers;
  const [, , domain, ns, namespace, sa, serviceAccount, ...more] = request.principal.split('/');
  const own = domain === workload.split('/')[2] && ns === 'ns' && sa === 'sa' && more.length === 0;
  const result = run(condition, {
    source: {
      principal: request.principal,
      namespace: own ? (namespace ?? '') : '',
      serviceAccount: own ? (serviceAccount ?? '') : '',
    },
    destination: { port: BigInt(request.port) },
    request: {
      method: request.method,
      path,
      query: query.join('?'),
      host: request.host.toLowerCase().replace(/\.$/, ''),
      headers,
    },
    token: {
      subject: token?.subject ?? '',
      audience: token?.audience ?? '',
      type: token?.type ?? '',
      claims: token?.claims ?? {},
    },
    now: timestampFromDate(now),
  });
  if (result === true) return undefined;
  return result === false ? 'condition-false' : 'condition-error';
}

function readHeaders(read: readonly string[], request: PlainRequest): Record<string, string> | string {
  const headers: Record<string, string> = {};
  for (const name of read) {
    const values = request.headers.filter(([each]) => each === name).map(([, value]) => value);
    const alike = request.headers.filter(([each]) => each.replace(/_/g, '-') === name.replace(/_/g, '-'));
    if (values.length > 1 || alike.length > values.length) return 'duplicate-header';
    if (values[0] !== undefined && values[0].trim() !== values[0]) return 'invalid-header';
    if (values[0] !== undefined) headers[name] = values[0];
  }
  return headers;
}
