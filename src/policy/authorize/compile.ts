// A policy, made ready to decide by: patterns into sets and matchers, conditions into programs.

import { isConditional } from '../agent-decides.ts';
import type { AuthorizationRequirement, AuthorizationRule } from '../effective.ts';
import { PolicyError } from '../errors.ts';
import { type Condition, ConditionCompiler } from './condition/condition.ts';
import { compilePathGlobs, type PathMatcher } from './path-matcher.ts';
import type { AuthorizationPolicy } from './policy.ts';
import { compilePrincipals, type PrincipalMatcher } from './principals.ts';
import { compileTokenDemand, type TokenDemand } from './token.ts';

export interface CompiledOperation {
  readonly ports: ReadonlySet<number> | undefined;
  readonly methods: ReadonlySet<string> | undefined;
  readonly paths: PathMatcher | undefined;
}

export interface CompiledRule {
  /** In `spec.authorization`. */
  readonly index: number;
  readonly principals: PrincipalMatcher;
  /** Undefined: everything. */
  readonly to: readonly CompiledOperation[] | undefined;
  readonly token: TokenDemand | undefined;
  readonly condition: Condition | undefined;
}

/** Callers for which a policy remembers its rules; with more, all are forgotten. */
export const maxRememberedCallers = 1024;

/** What one policy demands. */
export class CompiledRequirement {
  readonly policy: string;
  readonly #rules: readonly CompiledRule[];
  readonly #byCaller = new Map<string, readonly CompiledRule[]>();

  constructor(policy: string, rules: readonly CompiledRule[]) {
    this.policy = policy;
    this.#rules = [...rules.filter((rule) => !isConditional(rule)), ...rules.filter(isConditional)];
  }

  /** The rules that are about a caller, those without token and condition first; each part in order. */
  rulesFor(principal: string): readonly CompiledRule[] {
    let own = this.#byCaller.get(principal);
    if (own === undefined) {
      own = this.#rules.filter((rule) => rule.principals(principal));
      if (this.#byCaller.size >= maxRememberedCallers) this.#byCaller.clear();
      this.#byCaller.set(principal, own);
    }
    return own;
  }

  get rememberedCallers(): number {
    return this.#byCaller.size;
  }
}

/** What has to be known of a request, beside what every request says, to decide by a policy. */
interface PolicyReads {
  /** Names of headers, in lower case. Without the token's, which is read by every policy that asks for a token. */
  readonly headers: readonly string[];
}

export interface CompiledAuthorization {
  readonly workload: string;
  readonly hybridPolicies: readonly string[];
  readonly quarantined: ReadonlySet<string>;
  readonly requirements: readonly CompiledRequirement[];
  readonly shadowRequirements: readonly CompiledRequirement[];
  readonly reads: PolicyReads;
}

/** @throws PolicyError that names policy and rule, for a condition that cannot be decided by */
export function compileAuthorization(policy: AuthorizationPolicy): CompiledAuthorization {
  const conditions = new ConditionCompiler();
  const rules: CompiledRule[] = [];
  const requirement = (each: AuthorizationRequirement): CompiledRequirement => {
    const compiled = each.rules.map((rule, index) =>
      compileRule(rule, index, { conditions, workload: policy.workload, policy: each.policy }),
    );
    rules.push(...compiled);
    return new CompiledRequirement(each.policy, compiled);
  };
  const requirements = policy.requirements.map(requirement);
  const shadowRequirements = policy.shadowRequirements.map(requirement);
  return {
    workload: policy.workload,
    hybridPolicies: policy.hybridPolicies,
    quarantined: new Set(policy.quarantined),
    requirements,
    shadowRequirements,
    reads: readsOf(rules),
  };
}

/**
 * What is wrong with a condition, in words for its author; undefined: nothing.
 * @param withToken whether the rule asks for a token
 */
export function checkCondition(expression: string, withToken: boolean): string | undefined {
  try {
    new ConditionCompiler().compile(expression, withToken);
    return undefined;
  } catch (error) {
    if (error instanceof PolicyError) return error.message;
    throw error;
  }
}

interface RuleContext {
  readonly conditions: ConditionCompiler;
  readonly workload: string;
  readonly policy: string;
}

function compileRule(rule: AuthorizationRule, index: number, context: RuleContext): CompiledRule {
  const { condition, token } = rule;
  try {
    return {
      index,
      principals: compilePrincipals(rule.from.flatMap(({ principals }) => principals)),
      to: rule.to?.map(({ ports, methods, paths }) => ({
        ports: ports === undefined ? undefined : new Set(ports),
        methods: methods === undefined ? undefined : new Set<string>(methods),
        paths: paths === undefined ? undefined : compilePathGlobs(paths),
      })),
      token: token === undefined ? undefined : compileTokenDemand(token, context.workload),
      condition:
        condition === undefined ? undefined : context.conditions.compile(condition, token !== undefined),
    };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new PolicyError(error.code, `${context.policy}, rule ${index}: ${error.message}`, { cause: error });
  }
}

function readsOf(rules: readonly CompiledRule[]): PolicyReads {
  const headers = rules.flatMap(({ condition }) => condition?.reads.headers ?? []);
  return { headers: [...new Set(headers.map(({ name }) => name))] };
}
