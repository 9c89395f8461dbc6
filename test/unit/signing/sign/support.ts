// Signing with real keys into a registry in memory.

import { randomBytes } from 'node:crypto';
import type { SignatureAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { generateSigningKey } from '../../../../src/crypto/keys.ts';
import type { Artifact } from '../../../../src/registry/artifact.ts';
import { type ImageReference, parseReference } from '../../../../src/registry/reference.ts';
import { type Bundle, parseBundle } from '../../../../src/signing/format/bundle.ts';
import { parseStatement, type Statement } from '../../../../src/signing/format/statement.ts';
import { localSigner } from '../../../../src/signing/keys/signer.ts';
import { keyParty, type SigningParty } from '../../../../src/signing/sign/party.ts';
import { type Claim, signatureClaim } from '../../../../src/signing/sign/payload.ts';
import { readBack } from '../../../../src/signing/sign/read-back.ts';
import { type SignRequest, sign } from '../../../../src/signing/sign/sign.ts';
import type { Authority } from '../../../../src/signing/verify/policy.ts';
import { createVerifier } from '../../../../src/signing/verify/verifier.ts';
import type { MemoryRegistry } from './memory-registry.ts';

export const reference = parseReference('registry.example/trading/app:v1');
export const now = () => new Date('2026-11-21T12:00:00.000Z');

export function partyOf(algorithm: Exclude<SignatureAlgorithm, 'ML-DSA-44'>): SigningParty {
  return keyParty(localSigner(generateSigningKey(algorithm)));
}

export function authorityOf(parties: readonly SigningParty[]): Authority {
  const keys = parties.map(({ publicKey }) => publicKey);
  return {
    name: 'ci',
    threshold: 1,
    keysets: [{ name: 'ci', notAfter: undefined, keys }],
    keyless: undefined,
  };
}

export interface SigningChanges extends Partial<SignRequest> {
  readonly reference?: ImageReference;
  readonly claim?: Claim;
}

/** As trellis sign does it. */
export async function signWith(
  registry: MemoryRegistry,
  parties: readonly SigningParty[],
  changes: SigningChanges = {},
  signal?: AbortSignal,
) {
  const { client } = registry;
  const { reference: repository = reference, claim = signatureClaim() } = changes;
  const authority = authorityOf(parties);
  const verify = readBack({ verifier: createVerifier(), client, repository, authority, claim, now });
  return await sign(
    {
      ...{ reference: repository, claim, parties, verify, client, now, randomBytes },
      ...{ recursive: false, mayBeThereAlready: true },
      ...changes,
    },
    signal,
  );
}

export function bundleOf({ blobs }: Artifact): Bundle {
  return parseBundle(blobs.at(-1) ?? Buffer.alloc(0));
}

export function statementOf(artifact: Artifact): Statement {
  return parseStatement(bundleOf(artifact).payload);
}
