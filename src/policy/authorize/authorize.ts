// The decision. All policies must allow; a policy allows what one of its rules allows. Which caller, port, method and
// path a rule is about is decided exactly as in the RBAC that Envoy is given (xds/translate/rbac.ts).

import { isConditional } from '../agent-decides.ts';
import type {
  CompiledAuthorization,
  CompiledOperation,
  CompiledRequirement,
  CompiledRule,
} from './compile.ts';
import { bind } from './condition/bindings.ts';
import type { Condition } from './condition/condition.ts';
import { maxRequestCost } from './condition/limits.ts';
import type { Cause, Decision, Denial, MatchedRule } from './decision.ts';
import { DecidedRequest, type RequestAttributes } from './request.ts';
import { bearerToken, refuseToken, type TokenVerifier, type VerifiedToken } from './token.ts';

/**
 * Decides one request.
 * @param verifyToken checks signature, times and form; asked at most once
 */
export function authorize(
  compiled: CompiledAuthorization,
  attributes: RequestAttributes,
  verifyToken: TokenVerifier,
  now: Date,
): Decision {
  const evaluation = new Evaluation(compiled, attributes, verifyToken, now);
  const matched: MatchedRule[] = [];
  let denial: Denial | undefined;
  for (const requirement of compiled.requirements) {
    const outcome = evaluation.decide(requirement);
    if (typeof outcome !== 'number') {
      denial = outcome;
      break;
    }
    matched.push({ policy: requirement.policy, rule: outcome });
  }
  const shadow = evaluation.decideShadow();
  return denial === undefined ? { allowed: true, matched, shadow } : { allowed: false, denial, shadow };
}

class Evaluation {
  readonly #compiled: CompiledAuthorization;
  readonly #request: DecidedRequest;
  readonly #verifyToken: TokenVerifier;
  readonly #now: Date;
  #token: VerifiedToken | Cause | undefined;
  #spent = 0;

  constructor(
    compiled: CompiledAuthorization,
    attributes: RequestAttributes,
    verifyToken: TokenVerifier,
    now: Date,
  ) {
    this.#compiled = compiled;
    this.#request = new DecidedRequest(attributes);
    this.#verifyToken = verifyToken;
    this.#now = now;
  }

  /** The rule that allows, or the denial. */
  decide(requirement: CompiledRequirement): number | Denial {
    let first: { readonly rule: number; readonly cause: Cause } | undefined;
    for (const rule of requirement.rulesFor(this.#request.principal)) {
      if (!this.#isAbout(rule)) continue;
      const cause = this.#refuse(rule);
      if (cause === undefined) return rule.index;
      first ??= { rule: rule.index, cause };
    }
    return { policy: requirement.policy, rule: first?.rule, cause: first?.cause ?? 'no-rule' };
  }

  /** With time of its own: what is only recorded must not use up what is enforced, nor the reverse. */
  decideShadow(): readonly Denial[] {
    this.#spent = 0;
    const denials: Denial[] = [];
    for (const requirement of this.#compiled.shadowRequirements) {
      const outcome = this.decide(requirement);
      if (typeof outcome !== 'number') denials.push(outcome);
    }
    return denials;
  }

  #isAbout(rule: CompiledRule): boolean {
    if (this.#request.isTcp && isConditional(rule)) return false;
    return rule.to === undefined || rule.to.some((operation) => this.#isFor(operation));
  }

  #isFor({ ports, methods, paths }: CompiledOperation): boolean {
    const { attributes, isTcp } = this.#request;
    if (ports !== undefined && !ports.has(attributes.port)) return false;
    // Opaque bytes have neither method nor path, so a rule that asks for one is not about them.
    if (isTcp) return methods === undefined && paths === undefined;
    return (
      (methods === undefined || methods.has(attributes.method)) &&
      (paths === undefined || paths(this.#request))
    );
  }

  /** Why token and condition of a rule do not hold; undefined when they do. The cheaper part is asked first. */
  #refuse({ token, condition }: CompiledRule): Cause | undefined {
    if (condition !== undefined && !condition.readsToken) {
      const cause = this.#refuseCondition(condition, undefined);
      if (cause !== undefined) return cause;
    }
    if (token === undefined) return undefined;
    const presented = this.#presentedToken();
    if (typeof presented === 'string') return presented;
    const cause = refuseToken(token, presented, this.#request.principal);
    if (cause !== undefined) return cause;
    if (condition === undefined || !condition.readsToken) return undefined;
    return this.#refuseCondition(condition, presented);
  }

  #refuseCondition(condition: Condition, token: VerifiedToken | undefined): Cause | undefined {
    if (this.#spent > maxRequestCost) return 'condition-cost';
    const input = { request: this.#request, workload: this.#compiled.workload, token, now: this.#now };
    const bindings = bind(condition.reads, input);
    if (typeof bindings === 'string') return bindings;
    const { result, cost } = condition.evaluate(bindings);
    this.#spent += cost;
    return result === 'true' ? undefined : result;
  }

  #presentedToken(): VerifiedToken | Cause {
    if (this.#token === undefined) {
      const bearer = bearerToken(this.#request.attributes.header('authorization'));
      const token = 'cause' in bearer ? bearer.cause : this.#verifyToken(bearer.token);
      // Tokens live on for minutes after their subject was put into quarantine.
      const quarantined = typeof token !== 'string' && this.#compiled.quarantined.has(token.subject);
      this.#token = quarantined ? 'token-quarantined' : token;
    }
    return this.#token;
  }
}
