// One image against everything that is required of it, within one deadline and with one look at the registry.

import type { RegistryClient } from '../../registry/client.ts';
import type { Digest } from '../../registry/digest.ts';
import { formatReference, type ImageReference, repositoryName } from '../../registry/reference.ts';
import { withDeadline } from '../../signing/deadline.ts';
import { verificationDeadline } from '../../signing/verify/deadline.ts';
import { oneLook } from '../../signing/verify/one-look.ts';
import type { SignatureReport, Verdict } from '../../signing/verify/verdict.ts';
import type { Verifier } from '../../signing/verify/verifier.ts';
import { type ContentsReader, readingContents } from './contents/image-contents.ts';
import { type Revocation, revokedByContents, revokedByName } from './contents/revocation.ts';
import { isDeniedAlready } from './policies/demands.ts';
import type { CompiledImagePolicies, Requirement } from './policies/requirement.ts';

export type RequirementVerdict = {
  readonly requirement: Requirement;
  /** Sentences: what is missing, what was found, or why it is not known. */
  readonly reasons: readonly string[];
  /** Undefined where no signature was looked at. */
  readonly verdict: Verdict | undefined;
  /** Where it is because of a revocation: the entries of `revoked.digests` that say so. */
  readonly revokedBy?: readonly string[];
} & (
  | { readonly outcome: 'satisfied' | 'unsatisfied' }
  /** It could not be asked: a registry, a key management service, or the time. Says nothing about the image. */
  | { readonly outcome: 'unknown'; readonly error: unknown }
);

export type ImageDecision =
  /** A signature that is required is there. */
  | 'verified'
  /** Without one: none is required, or only by what does not enforce it. */
  | 'allowed'
  | 'denied'
  /** No policy has rules about images. */
  | 'no-policy'
  /** Something that is enforced could not be asked, and nothing that is enforced denies. */
  | 'unknown';

export interface JudgedImage {
  readonly image: string;
  readonly decision: ImageDecision;
  /** True for `verified` and `allowed`, and for nothing else. */
  readonly ok: boolean;
  /** What was judged, and what alone may be run. Undefined when the registry was not asked, or did not answer. */
  readonly digest: Digest | undefined;
  readonly requirements: readonly RequirementVerdict[];
  /** Every bundle that was looked at. */
  readonly signatures: readonly SignatureReport[];
  /** Of those, the manifests whose signatures make a keyset hold; other good ones are of keysets that have ended, or are incomplete. */
  readonly counted: ReadonlySet<Digest>;
}

export interface JudgeImageOptions {
  readonly verifier: Verifier;
  readonly client: RegistryClient;
  readonly now: () => Date;
  /** Milliseconds for everything together, the keys included; undefined: none. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The end of `signal` leaves what is not known by then as `unknown`, for its reason, and throws nothing. */
  readonly endsInUnknown?: boolean;
  /** Looks at every referrer, for a complete list. */
  readonly exhaustive?: boolean;
  /** Attestations are asked about by themselves, whether or not the image is signed. */
  readonly attestationsOnly?: boolean;
  /** Where digests are revoked. By `client`, and remembered for this image alone, unless given. */
  readonly contents?: ContentsReader;
}

/**
 * What fails is the outcome of the requirement that needed it: one that only warns takes nothing from the others.
 * @throws the signal's reason, unless `endsInUnknown`
 */
export async function judgeImage(
  reference: ImageReference,
  policies: CompiledImagePolicies,
  options: JudgeImageOptions,
): Promise<JudgedImage> {
  const { revokedDigests } = policies;
  const requirements = policies.requirementsOn(repositoryName(reference));
  // What is in an image that is denied anyway makes no difference.
  const asksForContents = revokedDigests.size > 0 && !isDeniedAlready(policies, reference);
  const known = new Map<Requirement, RequirementVerdict>();
  let digest = reference.digest;
  let failure: unknown;
  try {
    await withDeadline(verificationDeadline(options.deadlineMs), options.signal, async (signal) => {
      const client = oneLook(options.client, signal);
      // A tag is resolved once, and not at all where the digest makes no difference.
      if (revokedDigests.size > 0 || requirements.some(({ kind }) => kind === 'verify')) {
        digest ??= (await client.resolve(reference, signal)).digest;
      }
      const byName = digest && revokedByName(digest, revokedDigests);
      if (byName !== undefined) known.set(revocation, revoked(byName));
      if (byName !== undefined) return;
      const image = { ...reference, digest };
      const judge = async (requirement: VerifyRequirement) => {
        known.set(requirement, await judgeBySignatures(requirement, image, { ...options, client, signal }));
      };
      const look = async () => {
        if (digest === undefined || !asksForContents) return;
        known.set(
          revocation,
          await judgeByContents({ ...image, digest }, policies, { ...options, client, signal }),
        );
      };
      await Promise.all([look(), ...requirements.filter((each) => each.kind === 'verify').map(judge)]);
    });
  } catch (error) {
    if (options.endsInUnknown !== true) options.signal?.throwIfAborted();
    failure = error;
  }
  const standing = known.get(revocation) ?? (asksForContents ? unknown(revocation, failure) : undefined);
  const verdicts =
    standing?.outcome === 'unsatisfied'
      ? [standing]
      : requirements.map((each) => known.get(each) ?? withoutRegistry(each) ?? unknown(each, failure));
  if (standing?.outcome === 'unknown') verdicts.push(standing);
  const decision = decide(verdicts);
  return {
    image: formatReference(reference),
    decision,
    ok: decision === 'verified' || decision === 'allowed',
    digest,
    requirements: verdicts,
    signatures: mergeReports(verdicts),
    counted: countedManifests(verdicts),
  };
}

/** It holds whatever the enforcement of the policy that says so, and where no policy has rules about images. */
const revocation: Requirement = {
  ...{ name: 'revoked digests', policy: undefined, enforcement: 'enforce' },
  ...{ kind: 'deny', reasons: [] },
};

/** What denies for certain goes before what is not known. */
function decide(verdicts: readonly RequirementVerdict[]): ImageDecision {
  const enforced = verdicts.filter(({ requirement }) => requirement.enforcement === 'enforce');
  if (enforced.some(({ outcome }) => outcome === 'unsatisfied')) return 'denied';
  if (enforced.some(({ outcome }) => outcome === 'unknown')) return 'unknown';
  if (verdicts.length === 0) return 'no-policy';
  const isVerified = verdicts.some(
    ({ outcome, verdict }) => outcome === 'satisfied' && verdict !== undefined,
  );
  return isVerified ? 'verified' : 'allowed';
}

type VerifyRequirement = Extract<Requirement, { kind: 'verify' }>;

type Looking = JudgeImageOptions & { readonly signal: AbortSignal };

async function judgeBySignatures(
  requirement: VerifyRequirement,
  reference: ImageReference,
  { verifier, client, now, signal, exhaustive = false, attestationsOnly = false }: Looking,
): Promise<RequirementVerdict> {
  try {
    const policy = await requirement.verificationPolicy(signal);
    const verdict = await verifier.verify({ reference, policy, client, now, signal, exhaustive });
    return ofVerdict(requirement, verdict, attestationsOnly);
  } catch (error) {
    return unknown(requirement, error);
  }
}

async function judgeByContents(
  image: ImageReference & { readonly digest: Digest },
  { revokedDigests }: CompiledImagePolicies,
  { client, signal, contents = readingContents(client) }: Looking,
): Promise<RequirementVerdict> {
  try {
    const found = await revokedByContents(image, revokedDigests, contents, signal);
    return found === undefined ? satisfied(revocation, 'not revoked') : revoked(found);
  } catch (error) {
    return unknown(revocation, error);
  }
}

/** Undefined where signatures must be looked at. */
function withoutRegistry(requirement: Requirement): RequirementVerdict | undefined {
  if (requirement.kind === 'deny') return unsatisfied(requirement, requirement.reasons);
  if (requirement.kind === 'unusable') return unknown(requirement, requirement.error);
  if (requirement.kind === 'verify') return undefined;
  return satisfied(requirement, 'allowed without a signature');
}

function satisfied(requirement: Requirement, reason: string): RequirementVerdict {
  return { requirement, outcome: 'satisfied', reasons: [reason], verdict: undefined };
}

function unsatisfied(requirement: Requirement, reasons: readonly string[]): RequirementVerdict {
  return { requirement, outcome: 'unsatisfied', reasons, verdict: undefined };
}

function revoked({ reason, entries }: Revocation): RequirementVerdict {
  return { ...unsatisfied(revocation, [reason]), revokedBy: entries };
}

function unknown(requirement: Requirement, error: unknown): RequirementVerdict {
  const why = error instanceof Error ? error.message : String(error);
  const reasons = [`it could not be judged: ${why}`];
  return { requirement, outcome: 'unknown', reasons, verdict: undefined, error };
}

function ofVerdict(
  requirement: VerifyRequirement,
  verdict: Verdict,
  attestationsOnly: boolean,
): RequirementVerdict {
  const attested = verdict.attestations.flatMap(({ predicateType, authorities }) =>
    authorities.map(({ ok, reason }) => ({ ok, reason: `attestation ${predicateType}: ${reason}` })),
  );
  const answers = [...(attestationsOnly ? [] : verdict.authorities), ...attested];
  if (answers.length === 0) {
    return { requirement, outcome: 'unsatisfied', reasons: ['it asks for no attestation'], verdict };
  }
  const failing = answers.filter(({ ok }) => !ok);
  if (failing.length === 0) {
    return { requirement, outcome: 'satisfied', reasons: answers.map(({ reason }) => reason), verdict };
  }
  const reasons = [...failing.map(({ reason }) => reason), ...requirement.leftOut];
  return { requirement, outcome: 'unsatisfied', reasons, verdict };
}

function countedManifests(verdicts: readonly RequirementVerdict[]): ReadonlySet<Digest> {
  const authorities = verdicts.flatMap(({ verdict }) => [
    ...(verdict?.authorities ?? []),
    ...(verdict?.attestations.flatMap((attestation) => attestation.authorities) ?? []),
  ]);
  return new Set(authorities.flatMap(({ keysets }) => keysets.flatMap(({ manifests }) => manifests)));
}

/** A bundle may be good for one policy and mean nothing to another: the best that any of them says. */
function mergeReports(verdicts: readonly RequirementVerdict[]): readonly SignatureReport[] {
  const reports = new Map<string, SignatureReport>();
  for (const report of verdicts.flatMap(({ verdict }) => verdict?.signatures ?? [])) {
    const before = reports.get(report.manifest);
    if (before === undefined || (!before.ok && report.ok)) reports.set(report.manifest, report);
  }
  return [...reports.values()];
}
