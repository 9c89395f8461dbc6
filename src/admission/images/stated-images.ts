// What a registry would say, stated instead: for tests of policies, which ask no registry and need no key. Only the looking is
// left out; what the policies conclude from it is concluded as always.

import { generateKeyPairSync } from 'node:crypto';
import type { RegistryClient } from '../../registry/client.ts';
import { type Digest, digestOf } from '../../registry/digest.ts';
import { RegistryError } from '../../registry/errors.ts';
import { formatReference, type ImageReference, repositoryName } from '../../registry/reference.ts';
import { type Statement, signPredicateType } from '../../signing/format/statement.ts';
import { type PublicKey, publicKeyFromSpki } from '../../signing/keys/public-key.ts';
import type { CountedSignature, Examined } from '../../signing/verify/examine.ts';
import { concludeExamination } from '../../signing/verify/judge.ts';
import type { KeylessIdentity, KeylessVerifier, VerificationPolicy } from '../../signing/verify/policy.ts';
import { type SignerGroup, signerGroups } from '../../signing/verify/question.ts';
import type { Verifier } from '../../signing/verify/verifier.ts';
import type { ImageJudge, ImageQuestion } from './image-judge.ts';
import { judgeImage } from './judge-image.ts';
import type { KeySources } from './policies/authorities.ts';
import { compileImagePolicies } from './policies/compile-image-policies.ts';
import { demandsBy } from './policies/demands.ts';

export interface StatedImage {
  readonly digest: Digest;
  /** `authority/keyset`, or the authority alone where it has no keysets: who has signed it, for this repository. */
  readonly signedBy: readonly string[];
  readonly attestations: readonly {
    readonly predicateType: string;
    readonly predicate: Readonly<Record<string, unknown>>;
    readonly signedBy: readonly string[];
  }[];
}

/** @param imageOf what is stated of an image; undefined: nothing, and nothing is known of it */
export function statedImageJudge(
  imageOf: (reference: ImageReference) => StatedImage | undefined,
  sources: KeySources,
  now: () => Date,
): ImageJudge {
  const stated = (reference: ImageReference): StatedImage => {
    const image = imageOf(reference);
    if (image !== undefined) return image;
    const name = formatReference(reference);
    // Not that it does not exist: a name that is misspelt in a test would look like a denial.
    throw new RegistryError(
      'ERR_REGISTRY_UNREACHABLE',
      `nothing is stated of ${name}: add it to the images of the test`,
    );
  };
  const client = statedClient(stated);
  const compiledOf = (policies: ImageQuestion['policies']) => compileImagePolicies(policies, sources);
  const verifier: Verifier = {
    verify: async ({ reference, policy }) => {
      const image = stated(reference);
      const examined = examinedOf(image, policy);
      return concludeExamination(
        { examined, failures: [], isComplete: true },
        {
          reference: formatReference(reference),
          digest: reference.digest ?? image.digest,
          repository: repositoryName(reference),
          policy,
          now: now(),
        },
      );
    },
  };
  return {
    judge: async ({ reference, policies, signal }) =>
      await judgeImage(reference, compiledOf(policies), {
        ...{ verifier, client, now, signal },
        // All that is stated of an image is its own digest.
        contents: { ofImage: async () => ({ names: [], inside: [] }), ofRevoked: () => [] },
      }),
    ...demandsBy(compiledOf),
    resolve: async ({ reference }) => stated(reference).digest,
  };
}

/** Tags are all that is asked of it: the verifier looks nowhere. */
function statedClient(stated: (reference: ImageReference) => StatedImage): RegistryClient {
  const nothing = async (): Promise<never> => {
    throw new RegistryError(
      'ERR_REGISTRY_UNREACHABLE',
      'the images of a test are stated; no registry is asked',
    );
  };
  return {
    resolve: async (reference) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: stated(reference).digest,
      size: 0,
    }),
    ...{
      manifest: nothing,
      blob: nothing,
      referrers: nothing,
      pushBlob: nothing,
      pushManifest: nothing,
      attach: nothing,
    },
    requests: () => 0,
    close: async () => {},
  };
}

function examinedOf(image: StatedImage, policy: VerificationPolicy): readonly Examined[] {
  const signature = { predicateType: signPredicateType, predicate: {}, signedBy: image.signedBy };
  return [signature, ...image.attestations].flatMap(({ signedBy, ...statement }, index) =>
    policy.authorities.flatMap((authority) =>
      signerGroups(authority)
        .map((group) => ({ group, name: nameOf(authority.name, group) }))
        .filter(({ name }) => signedBy.includes(name))
        .flatMap(({ group, name }) =>
          signaturesOf(group, `${index} ${name}`, { ...statement, subject: image.digest }),
        ),
    ),
  );
}

function nameOf(authority: string, { keyset }: SignerGroup): string {
  return keyset === undefined ? authority : `${authority}/${keyset.name}`;
}

/** All who are in the group, over one payload. */
function signaturesOf(
  { keyset, keyless }: SignerGroup,
  payloadId: string,
  statement: Pick<Statement, 'subject' | 'predicateType' | 'predicate'>,
): readonly Examined[] {
  const manifest = digestOf(Buffer.from(payloadId));
  const common = { manifest, payloadId, statement: { ...statement, annotations: {}, binding: undefined } };
  const keys = (keyset?.keys ?? []).map((key): CountedSignature => ({ ...common, by: { kind: 'key', key } }));
  const certificate = keyless === undefined ? [] : [{ ...common, by: heldBy(keyless) }];
  return [...keys, ...certificate].map((counted) => ({ counted, report: reportOf(counted) }));
}

/** Whoever is accepted by such an authority: a test says that somebody was, not who. */
function heldBy(keyless: KeylessVerifier): CountedSignature['by'] {
  const publicKey = certificateKey();
  const identity: KeylessIdentity = { issuer: 'stated', subject: keyless.description, publicKey };
  return { kind: 'certificate', identity, acceptedBy: new Map([[keyless, identity]]) };
}

let madeKey: PublicKey | undefined;

/** Of a certificate that nobody looks at. */
function certificateKey(): PublicKey {
  if (madeKey === undefined) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    madeKey = publicKeyFromSpki(publicKey.export({ format: 'der', type: 'spki' }));
  }
  return madeKey;
}

function reportOf({ manifest, statement, by }: CountedSignature): Examined['report'] {
  return {
    ...{ manifest, size: undefined, ok: true, code: 'valid', reason: 'stated by the test' },
    predicateType: statement.predicateType,
    binding: undefined,
    algorithm: by.kind === 'key' ? by.key.algorithm : undefined,
    spkiSha256: by.kind === 'key' ? by.key.spkiSha256 : undefined,
    identity: by.kind === 'key' ? undefined : { issuer: by.identity.issuer, subject: by.identity.subject },
    claimed: {},
  };
}
