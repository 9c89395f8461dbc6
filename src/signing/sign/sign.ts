// Signing an image: resolve once, one payload, a bundle of every party, all attached together, then read back and verified.

import type { RegistryClient } from '../../registry/client.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { Digest } from '../../registry/digest.ts';
import { type ImageReference, repositoryName } from '../../registry/reference.ts';
import { SigningError } from '../errors.ts';
import { referrerManifest } from '../format/referrer.ts';
import { inWrittenOrder, type SigningParty } from './party.ts';
import { type Claim, encodePayload } from './payload.ts';
import { subjectsOf } from './subjects.ts';

export interface SignRequest {
  readonly reference: ImageReference;
  readonly claim: Claim;
  readonly parties: readonly SigningParty[];
  /** Also the manifests of an index. */
  readonly recursive: boolean;
  /**
   * Whether the parties have made this claim about the digest already, as far as the registry shows: asked before signing,
   * so as not to do it twice, and afterwards, because only what others can verify is signed. Returns why not.
   */
  readonly verify: (
    digest: Digest,
    signal?: AbortSignal,
  ) => Promise<{ readonly ok: boolean; readonly reason: string }>;
  /** False for certificates that are made for one signing: there is nothing to find. */
  readonly mayBeThereAlready: boolean;
  readonly client: RegistryClient;
  readonly now: () => Date;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** What became of one subject. */
export interface SignedSubject {
  readonly digest: Digest;
  readonly platform: string | undefined;
  /** False when the same parties had made the same claim before; nothing was written then. */
  readonly added: boolean;
  /** Of the manifests that hold the bundles, in the order of writing; empty when nothing was written. */
  readonly manifests: readonly Digest[];
}

/**
 * Signs what the reference names now. A tag is resolved once: what it names afterwards makes no difference.
 * @throws SigningError, RegistryError
 */
export async function sign(request: SignRequest, signal?: AbortSignal): Promise<readonly SignedSubject[]> {
  const { client, reference, recursive } = request;
  const subjects = await subjectsOf(client, reference, { recursive, signal });
  const signed: SignedSubject[] = [];
  // One after the other: an index rarely has more than ten manifests, and the named one comes first.
  for (const { descriptor, platform } of subjects) {
    signed.push({ digest: descriptor.digest, platform, ...(await signSubject(request, descriptor, signal)) });
  }
  return signed;
}

async function signSubject(
  request: SignRequest,
  subject: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Pick<SignedSubject, 'added' | 'manifests'>> {
  const { client, reference, mayBeThereAlready, verify } = request;
  if (mayBeThereAlready && (await verify(subject.digest, signal)).ok) return { added: false, manifests: [] };
  const artifacts = await makeArtifacts(request, subject, signal);
  const manifests = await client.attach(reference, subject, artifacts, signal);
  const { ok, reason } = await verify(subject.digest, signal);
  if (!ok) {
    throw new SigningError(
      'ERR_NOT_VERIFIED_AFTER_SIGNING',
      `the signatures were written to ${repositoryName(reference)}, but read back they do not verify: ${reason}`,
    );
  }
  return { added: true, manifests };
}

async function makeArtifacts(
  { reference, claim, parties, now, randomBytes }: SignRequest,
  subject: Descriptor,
  signal: AbortSignal | undefined,
) {
  const created = now();
  const ordered = inWrittenOrder(parties);
  const payload = encodePayload({
    claim,
    subject: subject.digest,
    repository: reference,
    signers: ordered.map(({ publicKey }) => publicKey),
    now: created,
    randomBytes,
  });
  // All bundles before the first one is written: a party that fails leaves no half of a signing behind.
  const bundles = await Promise.all(ordered.map((party) => party.bundle(payload, signal)));
  return bundles.map((bundle) =>
    referrerManifest({ subject, bundle, predicateType: claim.predicateType, created }),
  );
}
