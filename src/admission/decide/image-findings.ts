// What is said about one image: the judgement in sentences, each with the policy that it comes from and what to do about it.

import { namespacedName, type Policy } from '../../model/mesh.ts';
import { escapeInvisible, quote } from '../../model/problem.ts';
import { type Enforcement, enforcementOf, enforcements } from '../../policy/enforcement.ts';
import { isNotFound } from '../../registry/errors.ts';
import { formatReference, type ImageReference } from '../../registry/reference.ts';
import type { Advice } from '../advice.ts';
import type { Finding, FindingCode } from '../decision.ts';
import type { JudgedImage, RequirementVerdict } from '../images/judge-image.ts';
import { namingPolicies } from '../images/policies/demands.ts';
import { isOfNoUse, noUse } from '../no-use.ts';
import type { ImageUse } from '../pod/images.ts';
import { shortenChars } from '../shorten.ts';

/** What a message holds of the reasons of one requirement; `trellis verify` tells all of them. */
const maxReasonChars = 1_200;

/** Where an image is used, first of all. */
export type Place = Pick<ImageUse, 'field'> & { readonly text: string };

/** What sentences about an image depend on, beside it. */
interface Telling {
  /** All that hold for the namespace. */
  readonly policies: readonly Policy[];
  readonly kind: 'pod' | 'template';
  readonly advice: Advice;
}

/** What judging an image came to, as findings. None: it may run. */
export function judgementFindings(place: Place, judged: JudgedImage, telling: Telling): readonly Finding[] {
  const findings = judged.requirements
    .filter(({ outcome }) => outcome !== 'satisfied')
    .map((verdict) => requirementFinding(place, verdict, judged, telling));
  const isRefused = !judged.ok && judged.decision !== 'no-policy';
  if (!isRefused || findings.some(({ enforcement }) => enforcement === 'enforce')) return findings;
  // A refusal that names no reason is still one.
  return [...findings, refusalFinding(place, judged)];
}

function requirementFinding(
  place: Place,
  verdict: RequirementVerdict,
  { digest }: JudgedImage,
  { policies, advice }: Telling,
): Finding {
  const { requirement, reasons, revokedBy = [] } = verdict;
  const { policy, enforcement } = requirement;
  const said = shortenChars(reasons.join('; '), maxReasonChars);
  const image = `image ${place.text}`;
  const of = (code: FindingCode, message: string): Finding => ({
    ...{ code, enforcement, field: place.field, message: escapeInvisible(message) },
    policy: policy === undefined ? undefined : namespacedName(policy),
  });
  if (verdict.outcome === 'unknown') {
    const demand = policy === undefined ? `the ${requirement.name} of the policies` : requirement.name;
    // Of an image whose digest is known a part, or a signature, may be what is missing.
    if (digest === undefined && isNotFound(verdict.error)) {
      const missing = shortenChars(verdict.error.message, maxReasonChars);
      return of(
        'image-not-found',
        `${image} cannot be held against ${demand}: ${missing}; ${advice.notFound}`,
      );
    }
    const name = `${image} and ${demand}`;
    return isOfNoUse(verdict.error)
      ? of('policy-unusable', noUse(name, said, enforcement, advice.policyUnusable))
      : of('image-unknown', `${name}: ${said}; this says nothing about the image: ${advice.notKnown}`);
  }
  if (policy === undefined) {
    const revoking = policies.filter(({ spec }) =>
      spec.revoked?.digests?.some((entry) => revokedBy.includes(entry)),
    );
    const [first, ...others] = revoking.map(namespacedName);
    const by = first === undefined ? '' : ` by QuantumSecurityPolicy ${[first, ...others].join(' and ')}`;
    return {
      ...of('image-revoked', `${image} is revoked${by}: ${said}`),
      policy: others.length === 0 ? first : undefined,
    };
  }
  if (requirement.kind === 'deny') {
    return of(
      'image-denied',
      `${image} is denied by ${requirement.name}: ${said}; use an image that its rules allow, or ask whoever keeps the policy for a rule`,
    );
  }
  const judged = place.text.includes('@') || digest === undefined ? '' : ` (${digest})`;
  return of(
    'image-not-verified',
    `${image}${judged} does not satisfy ${requirement.name}: ${said}; have the image signed as the policy asks, or use another`,
  );
}

function refusalFinding(place: Place, { decision }: JudgedImage): Finding {
  const isUnknown = decision === 'unknown';
  return {
    code: isUnknown ? 'image-unknown' : 'image-denied',
    enforcement: 'enforce',
    policy: undefined,
    field: place.field,
    message: `image ${place.text} ${isUnknown ? 'could not be judged' : 'is not allowed'} by the policies of the namespace; trellis verify --policy tells more`,
  };
}

/** A text that names no image for certain: nobody knows what a runtime would make of it. */
export function invalidFinding(
  { field, text }: ImageUse,
  reason: string,
  policies: readonly Policy[],
): Finding {
  const { enforcement, speaking } = imageEnforcement(policies);
  const [first, ...others] = speaking.map(namespacedName);
  const asked =
    first === undefined
      ? ''
      : `, and QuantumSecurityPolicy ${[first, ...others].join(' and ')} asks about images`;
  return {
    code: 'image-invalid',
    enforcement,
    policy: others.length === 0 ? first : undefined,
    field,
    message: escapeInvisible(
      `image ${quote(text ?? '')} cannot be judged${asked}: ${reason}; write REGISTRY/REPOSITORY with :TAG, @sha256:DIGEST or both`,
    ),
  };
}

/** Judging failed, and whose demands it would have met is not known. */
export function failureFinding(
  place: Place,
  error: unknown,
  { policies, advice }: Pick<Telling, 'policies' | 'advice'>,
): Finding {
  const { enforcement } = imageEnforcement(policies);
  const why = error instanceof Error ? error.message : String(error);
  return {
    code: 'image-unknown',
    enforcement,
    policy: undefined,
    field: place.field,
    message: escapeInvisible(
      `image ${place.text} could not be judged: ${shortenChars(why, maxReasonChars)}; this says nothing about the image: ${advice.notKnown}`,
    ),
  };
}

/** What holds for an image of which nothing is known: the strictest of all that speak about images. */
function imageEnforcement(policies: readonly Policy[]): {
  readonly enforcement: Enforcement;
  readonly speaking: readonly Policy[];
} {
  const of = (enforcement: Enforcement): readonly Policy[] =>
    policies.filter(({ spec }) => {
      // A revocation holds whatever the enforcement of its policy.
      if (enforcement === 'enforce' && (spec.revoked?.digests?.length ?? 0) > 0) return true;
      return spec.images !== undefined && enforcementOf({ spec }) === enforcement;
    });
  for (const enforcement of enforcements) {
    const speaking = of(enforcement);
    if (speaking.length > 0) return { enforcement, speaking };
  }
  return { enforcement: 'warn', speaking: [] };
}

/** A name without a registry is another image to another runtime, and what is judged is the one that Docker Hub has. */
export function notQualifiedFinding(place: Place, reference: ImageReference, context: Telling): Finding {
  const speaking = namingPolicies(context.policies).map(namespacedName);
  const write = `write ${formatReference(reference)} if that is meant`;
  const effect =
    context.kind === 'pod'
      ? `${write}, ${context.advice.notWritten}`
      : `its pods are refused unless the mutating webhook writes the full name: better ${write}`;
  return {
    code: 'image-not-qualified',
    enforcement: context.kind === 'pod' ? 'enforce' : 'warn',
    policy: speaking.length === 1 ? speaking[0] : undefined,
    field: place.field,
    message: `image ${place.text} names no registry, so that nodes may take it from another one than QuantumSecurityPolicy ${speaking.join(' and ')} is about; ${effect}`,
  };
}

/** The tag of a covered image can be moved between the judgement and the pull, and the kubelet would follow it. */
export function notDigestFinding(
  place: Place,
  reference: ImageReference,
  { requirements, digest }: JudgedImage,
  context: Telling,
): Finding {
  const demanding = [
    ...new Set([
      ...requirements.flatMap(({ requirement: { kind, enforcement, policy } }) =>
        kind === 'verify' && enforcement === 'enforce' && policy !== undefined
          ? [namespacedName(policy)]
          : [],
      ),
      ...context.policies.filter(({ spec }) => (spec.revoked?.digests?.length ?? 0) > 0).map(namespacedName),
    ]),
  ];
  const covered = demanding.length === 0 ? 'a policy' : `QuantumSecurityPolicy ${demanding.join(' and ')}`;
  const write =
    digest === undefined
      ? 'write it with its digest (@sha256:…)'
      : `write ${formatReference({ ...reference, digest })}`;
  const effect =
    context.kind === 'pod'
      ? `${write}, ${context.advice.notWritten}`
      : `its pods are refused unless the mutating webhook pins them: better ${write}`;
  return {
    code: 'image-not-digest',
    enforcement: context.kind === 'pod' ? 'enforce' : 'warn',
    policy: demanding.length === 1 ? demanding[0] : undefined,
    field: place.field,
    message: `image ${place.text} is covered by ${covered} and named by a tag, which can be moved after it was judged; ${effect}`,
  };
}
