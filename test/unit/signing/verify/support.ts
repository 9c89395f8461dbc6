// Real keys and real signatures over statements of any kind, and an image with what hangs on it in memory.

import { expect } from 'vitest';
import type { SignatureAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { generateSigningKey, type SigningKey, signBytes, spkiDer } from '../../../../src/crypto/keys.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { encodeKeyBundle, parseBundle } from '../../../../src/signing/format/bundle.ts';
import { pae, payloadType } from '../../../../src/signing/format/dsse.ts';
import {
  encodeStatement,
  type SignerName,
  type StatementInput,
  signPredicateType,
} from '../../../../src/signing/format/statement.ts';
import { keyHint, type PublicKey, publicKeyFromSpki } from '../../../../src/signing/keys/public-key.ts';
import { examine } from '../../../../src/signing/verify/examine.ts';
import type { FoundBundle } from '../../../../src/signing/verify/found.ts';
import { concludeExamination } from '../../../../src/signing/verify/judge.ts';
import { defaultVerificationLimits } from '../../../../src/signing/verify/limits.ts';
import {
  type Authority,
  checkPolicy,
  type KeylessVerifier,
  type Keyset,
  type VerificationPolicy,
} from '../../../../src/signing/verify/policy.ts';
import { SignatureChecks } from '../../../../src/signing/verify/signature-checks.ts';
import type { Verdict } from '../../../../src/signing/verify/verdict.ts';

export interface TestKey {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Buffer;
}

export function testKey(algorithm: SignatureAlgorithm): TestKey {
  if (algorithm === 'ML-DSA-44') throw new Error('verify only');
  const key: SigningKey = generateSigningKey(algorithm);
  return { publicKey: publicKeyFromSpki(spkiDer(key)), sign: (message) => signBytes(key, message) };
}

export const repository = 'registry.example/trading/app';
const imageBytes = Buffer.from('an image');
export const digest = digestOf(imageBytes);
export const now = new Date('2026-11-21T12:00:00.000Z');
export const slsa = 'https://slsa.dev/provenance/v1';

let signings = 0;

/** Differs in the random id of its binding from all others. */
export function payloadBy(keys: readonly TestKey[], changes: PayloadChanges = {}): Buffer {
  signings += 1;
  const { reference = repository, id = signings.toString(16).padStart(32, '0'), signers, ...input } = changes;
  return encodeStatement({
    subject: digest,
    predicateType: signPredicateType,
    ...input,
    binding: { v: 1, id, reference, signedAt: now, signers: signers ?? keys.map(nameOf) },
  });
}

export type PayloadChanges = Partial<Omit<StatementInput, 'binding'>> & {
  readonly reference?: string;
  readonly id?: string;
  readonly signers?: readonly SignerName[];
};

export function nameOf({ publicKey: { algorithm, spkiSha256 } }: TestKey): SignerName {
  return { algorithm, spkiSha256 };
}

/** What cosign writes, as far as it matters. */
export function cosignPayload(
  annotations: Readonly<Record<string, string>> = {},
  subject: Digest = digest,
): Buffer {
  const [algorithm, hex] = subject.split(':');
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { [String(algorithm)]: hex }, annotations }],
      predicateType: signPredicateType,
      predicate: {},
    }),
  );
}

export interface BundleChanges {
  readonly hint?: string;
  readonly signature?: Uint8Array;
}

export function bundleBytes(key: TestKey, payload: Uint8Array, changes: BundleChanges = {}): Buffer {
  const { hint = keyHint(key.publicKey), signature = key.sign(pae(payloadType, payload)) } = changes;
  return encodeKeyBundle({ payload, signature, hint });
}

let manifests = 0;

export function found(bytes: Uint8Array): FoundBundle {
  manifests += 1;
  const manifest = digestOf(Buffer.from(`manifest ${manifests}`));
  return { kind: 'bundle', manifest, size: bytes.length, bundle: parseBundle(bytes) };
}

/** One bundle of each key over one payload. */
export function signed(keys: readonly TestKey[], changes: PayloadChanges = {}): FoundBundle[] {
  const payload = payloadBy(keys, changes);
  return keys.map((key) => found(bundleBytes(key, payload)));
}

export function keysetOf(name: string, keys: readonly TestKey[], notAfter?: Date): Keyset {
  return { name, notAfter, keys: keys.map(({ publicKey }) => publicKey) };
}

export function authorityOf(
  name: string,
  keysets: readonly Keyset[],
  changes: Partial<Authority> = {},
): Authority {
  return { name, threshold: 1, keysets, keyless: undefined, ...changes };
}

export function policyOf(
  authorities: readonly Authority[],
  changes: Partial<VerificationPolicy> = {},
): VerificationPolicy {
  return {
    authorities,
    bindReference: 'repository',
    attestations: [],
    revokedDigests: new Set(),
    revokedKeys: new Set(),
    ...changes,
  };
}

export function verdictOn(
  bundles: readonly FoundBundle[],
  policy: VerificationPolicy,
  changes: { readonly now?: Date; readonly digest?: Digest; readonly maxChecks?: number } = {},
): Verdict {
  checkPolicy(policy);
  const { maxChecks = defaultVerificationLimits.maxSignatureChecks, ...rest } = changes;
  const question = { reference: `${repository}:v1`, digest, repository, policy, now, ...rest };
  const checks = new SignatureChecks(maxChecks);
  const examined = bundles.map((each) => examine(each, question, checks));
  return concludeExamination({ examined, failures: [], isComplete: true }, question);
}

/** The reasons of all authorities, attestations included. */
export function reasonsOf({ authorities, attestations }: Verdict): string[] {
  return [...authorities, ...attestations.flatMap((each) => each.authorities)].map(({ reason }) => reason);
}

export function codesOf({ signatures }: Verdict): string[] {
  return signatures.map(({ code }) => code);
}

/** Denied, and says why. */
export function expectDenied(verdict: Verdict, ...reasons: readonly RegExp[]): void {
  expect(verdict.ok).toBe(false);
  for (const reason of reasons) expect(reasonsOf(verdict).join('\n')).toMatch(reason);
}

/** Where a certificate should stand, a key: what it accepts is for others to test. */
export function keylessFor(identity: TestKey, changes: Partial<KeylessVerifier> = {}): KeylessVerifier {
  return {
    description: 'identity ci@example.com',
    verify: ({ material }) =>
      material.kind === 'certificate' && material.chain[0]?.equals(certificateOf(identity))
        ? {
            ok: true,
            issuer: 'https://issuer.example',
            subject: 'ci@example.com',
            publicKey: identity.publicKey,
          }
        : { ok: false, reason: 'the certificate is for somebody else' },
    ...changes,
  };
}

function certificateOf({ publicKey }: TestKey): Buffer {
  return Buffer.concat([Buffer.from('certificate of '), publicKey.spki]);
}

/** A bundle whose signer shows a certificate. */
export function certificateBundle(key: TestKey, payload: Uint8Array): FoundBundle {
  const document = JSON.parse(bundleBytes(key, payload).toString());
  document.verificationMaterial = { certificate: { rawBytes: certificateOf(key).toString('base64') } };
  return found(Buffer.from(JSON.stringify(document)));
}

/** The other signature that ECDSA verifies as well: s replaced by n − s. */
export function otherHalf(signature: Uint8Array): Buffer {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const rLength = signature[3] ?? 0;
  const r = signature.subarray(2, 4 + rLength);
  const s = BigInt(`0x${Buffer.from(signature.subarray(6 + rLength)).toString('hex')}`);
  const hex = (n - s).toString(16);
  const magnitude = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const positive = (magnitude[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), magnitude]) : magnitude;
  const body = Buffer.concat([r, Buffer.from([0x02, positive.length]), positive]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}
