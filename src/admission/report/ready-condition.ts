// The condition Ready of a policy: whether it is in force, and if not, why.

import { isDeepStrictEqual } from 'node:util';
import { isRecord, ownField } from '../../model/manifest.ts';
import type { PolicyVerdict } from '../../sources/kubernetes/mesh/policy-verdicts.ts';
import type { Usability } from '../images/policies/usability.ts';
import { shortenChars } from '../shorten.ts';

/** Of the CustomResourceDefinition, 4,096; this is enough to mend one thing after the other. */
const maxMessageChars = 2_000;

/** What is to be written; undefined where the object says so already, or it is not known yet what to say. */
export function statusOf(
  verdict: PolicyVerdict,
  usability: Usability | undefined,
  now: Date,
): object | undefined {
  const { generation, status } = verdict;
  const finding = verdict.inForce ? usability && usabilityFinding(usability) : findingOf(verdict);
  if (finding === undefined) return undefined;
  const conditions = ownField(status, 'conditions');
  const all = Array.isArray(conditions) ? conditions.filter(isRecord) : [];
  const before = all.find(({ type }) => type === 'Ready');
  const said = { type: 'Ready', ...finding, observedGeneration: generation };
  const since = ownField(before, 'lastTransitionTime');
  const hasChanged = before?.['status'] !== said.status || typeof since !== 'string';
  // Whole seconds are how Kubernetes writes it.
  const lastTransitionTime = hasChanged ? now.toISOString().replace(/\.\d+Z$/, 'Z') : since;
  const ready = { ...said, lastTransitionTime };
  const isSaid = isDeepStrictEqual({ ...before }, ready);
  if (isSaid && ownField(status, 'observedGeneration') === generation) return undefined;
  // A list is replaced as a whole: the conditions of others stay.
  return { observedGeneration: generation, conditions: [...all.filter((each) => each !== before), ready] };
}

interface ReadyFinding {
  readonly status: 'True' | 'False' | 'Unknown';
  /** One word, in CamelCase, as the schema has it. */
  readonly reason: string;
  readonly message: string;
}

const inForce = 'it is in force as it is written';

/** Of one that is in force: whether admission can judge by it. */
function usabilityFinding(usability: Usability): ReadyFinding {
  if (usability.kind === 'unusable') {
    const message = shortenChars(usability.problems.join('\n'), maxMessageChars);
    return { status: 'False', reason: 'PolicyUnusable', message };
  }
  if (usability.kind === 'unknown') {
    const { error } = usability;
    const why = shortenChars(error instanceof Error ? error.message : String(error), maxMessageChars);
    const message = `what it refers to could not be looked up: ${why}; it is tried again`;
    return { status: 'Unknown', reason: 'NotKnown', message };
  }
  const message = usability.hasKmsKeys
    ? `${inForce}; its keys in key management services are not asked for until an image needs them`
    : inForce;
  return { status: 'True', reason: 'InForce', message };
}

/** Of one that is not in force. */
function findingOf({ problems }: PolicyVerdict): ReadyFinding {
  const [first] = problems;
  if (first === undefined) {
    return {
      status: 'False',
      reason: 'InvalidObject',
      message: 'it cannot be used; the log of trellis webhook says why',
    };
  }
  const message = shortenChars(problems.map((problem) => problem.message).join('\n'), maxMessageChars);
  return { status: 'False', reason: first.code, message };
}
