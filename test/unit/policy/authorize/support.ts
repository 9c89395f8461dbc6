// Policies and requests that differ from good ones in what a test names.

import { authorize } from '../../../../src/policy/authorize/authorize.ts';
import { compileAuthorization } from '../../../../src/policy/authorize/compile.ts';
import { type Decision, reasonText, type TokenFailure } from '../../../../src/policy/authorize/decision.ts';
import type { AuthorizationPolicy } from '../../../../src/policy/authorize/policy.ts';
import type { RequestAttributes } from '../../../../src/policy/authorize/request.ts';
import type { VerifiedToken } from '../../../../src/policy/authorize/token.ts';
import type { AuthorizationRule } from '../../../../src/policy/effective.ts';

export const now = new Date('2026-03-04T10:30:00Z');
export const workload = 'spiffe://mesh/ns/shop/sa/orders';
export const caller = 'spiffe://mesh/ns/shop/sa/cart';

export const anyone = [{ principals: ['*'] }];

export function policyOf(
  rules: readonly AuthorizationRule[],
  shadowRules?: readonly AuthorizationRule[],
): AuthorizationPolicy {
  return {
    workload,
    requirements: [{ policy: 'shop/orders', rules }],
    shadowRequirements: shadowRules === undefined ? [] : [{ policy: 'shop/watch', rules: shadowRules }],
    hybridPolicies: [],
    quarantined: [],
  };
}

export interface Asked {
  readonly principal?: string;
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export function requestOf({ headers = {}, ...change }: Asked = {}): RequestAttributes {
  return {
    principal: caller,
    port: 8080,
    method: 'GET',
    path: '/',
    host: 'orders.shop',
    header: (name) => [headers[name] ?? []].flat(),
    hasTwin: (name) =>
      Object.keys(headers).some(
        (each) => each !== name && each.replaceAll('_', '-') === name.replaceAll('_', '-'),
      ),
    ...change,
  };
}

export const goodToken: VerifiedToken = { type: 'ML-DSA', subject: caller, audience: workload, claims: {} };

export interface Situation {
  readonly token?: VerifiedToken | TokenFailure;
  readonly now?: Date;
}

export function decide(
  rules: readonly AuthorizationRule[],
  asked: Asked = {},
  situation: Situation = {},
): Decision {
  return authorize(
    compileAuthorization(policyOf(rules)),
    requestOf(asked),
    () => situation.token ?? goodToken,
    situation.now ?? now,
  );
}

/** `allowed`, or the reason. */
export function outcome(
  rules: readonly AuthorizationRule[],
  asked: Asked = {},
  situation: Situation = {},
): string {
  const decision = decide(rules, asked, situation);
  return decision.allowed ? 'allowed' : reasonText(decision.denial);
}

/** Of one rule for everyone with this condition, and a token where one is asked for. */
export function conditionOutcome(condition: string, asked: Asked = {}, situation: Situation = {}): string {
  return outcome(
    [{ from: anyone, condition, ...(situation.token === undefined ? {} : { token: {} }) }],
    asked,
    situation,
  );
}
