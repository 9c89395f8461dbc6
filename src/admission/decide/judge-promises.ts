// Whether a pod can keep what its policies promise of it; of an update, as far as the update has to do with it.

import { isDeepStrictEqual } from 'node:util';
import type { Policy } from '../../model/mesh.ts';
import { selectorMatches } from '../../model/selector.ts';
import type { Advice } from '../advice.ts';
import type { Finding } from '../decision.ts';
import type { JudgedPod } from '../pod/pod-of.ts';
import { type Breach, breachesOf } from '../promises/breaches.ts';
import { complianceFindings } from '../promises/compliance-findings.ts';
import { requiredEncryptionFindings } from '../promises/required-encryption.ts';
import { sidecarFindings } from '../promises/sidecar-findings.ts';
import { checkSidecar } from '../sidecar/check-sidecar.ts';
import { sidecarName } from '../sidecar/names.ts';
import { itemsOf, specOf } from '../sidecar/pod-object.ts';
import type { SidecarSettings } from '../sidecar/settings.ts';

export interface PromisesContext {
  /** All that hold for the namespace. */
  readonly policies: readonly Policy[];
  readonly sidecar: SidecarSettings | undefined;
  /** For whoever is told. */
  readonly advice: Advice;
}

/** The policies whose selector the pod's labels match. */
export function selectingPolicies(policies: readonly Policy[], { pod }: JudgedPod): readonly Policy[] {
  return policies.filter(({ spec }) => selectorMatches(spec.selector, pod.metadata.labels));
}

/**
 * @param before the pod before an update: what it broke then already, under a policy that selected it then already, is none of the
 *   update's doing, and a pod that runs must not get stuck on it
 */
export function judgePromises(
  judged: JudgedPod,
  before: JudgedPod | undefined,
  context: PromisesContext,
): readonly Finding[] {
  const now = viewOf(judged, context);
  const then = before && viewOf(before, context);
  const isSidecarChanged = before !== undefined && !isDeepStrictEqual(sidecarsIn(judged), sidecarsIn(before));
  // It names one difference of several: of a sidecar that was another before (its image, or its resources), the same one says no more.
  const isNews = (code: Finding['code']) => code === 'sidecar-altered' && isSidecarChanged;
  const known = new Set(then?.findings.filter(({ code }) => !isNews(code)).map(keyOf));
  const selectedThen = new Set(then?.policies);
  const brokenThen = new Set(then?.breaches.map(keyOf));
  const news = without(now.breaches, brokenThen);
  return [
    ...without(now.findings, known),
    ...requiredEncryptionFindings(
      now.policies,
      (policy) => (selectedThen.has(policy) ? news : now.breaches),
      judged.fieldPrefix,
    ),
  ];
}

interface View {
  /** That select the pod. */
  readonly policies: readonly Policy[];
  readonly breaches: readonly Breach[];
  readonly findings: readonly Finding[];
}

function viewOf(judged: JudgedPod, { policies, sidecar, advice }: PromisesContext): View {
  const selecting = selectingPolicies(policies, judged);
  return {
    policies: selecting,
    breaches: breachesOf(judged, sidecarOf(judged, sidecar)),
    findings: [...sidecarFindings(judged, selecting, { sidecar, advice }), ...complianceFindings(selecting)],
  };
}

/** Whatever bears its name where it stands, genuine or not. */
function sidecarsIn({ object }: JudgedPod): readonly object[] {
  return itemsOf(specOf(object), 'initContainers').filter(({ name }) => name === sidecarName);
}

/** Which container of a pod, by its name, is the sidecar that this mesh injects; none where anything about it is another. */
export function sidecarOf(
  { object }: JudgedPod,
  settings: SidecarSettings | undefined,
): (name: string) => boolean {
  // No other container has the name then, in no list.
  const isGenuine = settings !== undefined && checkSidecar(object, false, settings).state === 'ok';
  return (name) => isGenuine && name === sidecarName;
}

/** Where there was nothing before, as with most pods, nothing of what there is need be compared. */
function without<T extends Breach | Finding>(all: readonly T[], known: ReadonlySet<string>): readonly T[] {
  return known.size === 0 ? all : all.filter((each) => !known.has(keyOf(each)));
}

function keyOf(what: Breach | Finding): string {
  return JSON.stringify(what);
}
