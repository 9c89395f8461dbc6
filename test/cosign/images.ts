// Images in real registries, signed and verified by the library itself, for comparing with stock cosign.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRegistryClient, type RegistryClient } from '../../src/registry/client.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { referrerManifest } from '../../src/signing/format/referrer.ts';
import type { SigningParty } from '../../src/signing/sign/party.ts';
import { type Claim, encodePayload, signatureClaim } from '../../src/signing/sign/payload.ts';
import type { Authority, VerificationPolicy } from '../../src/signing/verify/policy.ts';
import type { Verdict } from '../../src/signing/verify/verdict.ts';
import { createVerifier } from '../../src/signing/verify/verifier.ts';
import { onEnd } from '../support/cleanup.ts';
import { type CosignResult, runCosign } from '../support/cosign.ts';
import { type PushedManifest, pushTestImage } from '../support/registry/images.ts';
import { type RegistryKind, startRegistry, type TestRegistry } from '../support/registry.ts';

export interface ImageWorld {
  readonly registry: TestRegistry;
  readonly client: RegistryClient;
  /** A new image, by digest. */
  image(): Promise<PushedManifest>;
}

export async function startImages(kind: RegistryKind): Promise<ImageWorld> {
  const registry = await startRegistry({ kind });
  const client = createRegistryClient();
  onEnd(() => client.close());
  return { registry, client, image: () => pushTestImage(registry, { repository: 'trading/orders' }) };
}

export interface AttachOptions {
  readonly parties: readonly SigningParty[];
  readonly claim?: Claim;
  /** Without the copy of the bundle in the manifest. */
  readonly inline?: boolean;
}

/** Signs with all parties and attaches their bundles in their order. Gives the payload. */
export async function attach(
  { client }: ImageWorld,
  image: PushedManifest,
  { parties, claim = signatureClaim(), inline = true }: AttachOptions,
): Promise<Buffer> {
  const reference = parseReference(image.reference);
  const payload = encodePayload({
    claim,
    subject: image.digest,
    repository: reference,
    signers: parties.map(({ publicKey }) => publicKey),
    now: new Date(),
    randomBytes,
  });
  const { mediaType, digest, size } = image;
  const subject = { mediaType, digest, size };
  const artifacts = [];
  for (const party of parties) {
    const bundle = await party.bundle(payload);
    const { predicateType } = claim;
    const artifact = referrerManifest({ subject, bundle, predicateType, created: new Date() });
    artifacts.push(inline ? artifact : { ...artifact, manifest: withoutData(artifact.manifest) });
  }
  await client.attach(reference, subject, artifacts);
  return payload;
}

function withoutData(manifest: Uint8Array): Buffer {
  const json = JSON.parse(Buffer.from(manifest).toString());
  for (const descriptor of [json.config, ...json.layers]) delete descriptor.data;
  return Buffer.from(JSON.stringify(json));
}

/** What our verifier says of the image. */
export function judge(
  { client }: ImageWorld,
  image: PushedManifest,
  authority: Partial<Authority>,
  changes: Partial<VerificationPolicy> = {},
): Promise<Verdict> {
  return createVerifier().verify({
    reference: parseReference(image.reference),
    policy: {
      authorities: [{ name: 'ci', threshold: 1, keysets: [], keyless: undefined, ...authority }],
      bindReference: 'repository',
      attestations: [],
      revokedDigests: new Set(),
      revokedKeys: new Set(),
      ...changes,
    },
    client,
    now: () => new Date(),
    exhaustive: true,
  });
}

export async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'trellis-interop-'));
  onEnd(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Writes a file for cosign. */
export async function fileOf(content: string | Uint8Array, name = 'file'): Promise<string> {
  const path = join(await directory(), name);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

/** Runs cosign and fails with what it said unless it succeeds. */
export async function cosign(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CosignResult> {
  const result = await runCosign(args, { env });
  if (result.status !== 0) throw new Error(`cosign ${args.join(' ')}\n${result.stderr}${result.stdout}`);
  return result;
}
