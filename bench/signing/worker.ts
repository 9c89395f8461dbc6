// Signs and verifies in a process of its own, as an admission controller would, and says what that cost:
//
//   node worker.ts DIRECTORY        with key files of the prefix `ci`; then commands on standard input, a line each

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createRegistryClient, type RegistryClient } from '../../src/registry/client.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { openPublicKey, openSigner } from '../../src/signing/keys/load.ts';
import { keyParty } from '../../src/signing/sign/party.ts';
import { signatureClaim } from '../../src/signing/sign/payload.ts';
import { readBack } from '../../src/signing/sign/read-back.ts';
import { sign } from '../../src/signing/sign/sign.ts';
import type { VerificationPolicy } from '../../src/signing/verify/policy.ts';
import { createVerifier } from '../../src/signing/verify/verifier.ts';

/** Cold: a new client for every image. Warm: one client. Together: all at the same time, with one client. */
export interface Command {
  readonly work: 'verify-cold' | 'verify-warm' | 'verify-together' | 'sign';
  readonly images: readonly string[];
}

export interface Cost {
  /** Of this process, user and system, for each image. */
  readonly cpuMs: number;
  /** For all of them. */
  readonly wallMs: number;
  /** HTTP requests for each image. */
  readonly requests: number;
}

const [directory = '.'] = process.argv.slice(2);
const access = { env: process.env, password: () => Promise.resolve(process.env['TRELLIS_PASSWORD'] ?? '') };
const file = (name: string) => join(directory, name);
const keys = await Promise.all(
  ['ci.p256.pub', 'ci.mldsa65.pub'].map((name) => openPublicKey(file(name), access)),
);
const signers = await Promise.all(
  ['ci.p256.key', 'ci.mldsa65.key'].map((name) => openSigner(file(name), access)),
);
const authority = {
  name: 'ci',
  threshold: 1,
  keysets: [{ name: 'ci', notAfter: undefined, keys }],
  keyless: undefined,
};
const policy: VerificationPolicy = {
  authorities: [authority],
  bindReference: 'repository',
  attestations: [],
  revokedDigests: new Set(),
  revokedKeys: new Set(),
};
const verifier = createVerifier();
const now = () => new Date();

/** Told that there is no TLS, or it would try that first. */
function clientFor(images: readonly string[]): RegistryClient {
  return createRegistryClient({ plainHttp: images.map((image) => parseReference(image).registry) });
}

async function verify(image: string, client: RegistryClient): Promise<void> {
  const verdict = await verifier.verify({ reference: parseReference(image), policy, client, now });
  if (!verdict.ok) throw new Error(`${image} does not verify`);
}

async function signOne(image: string, client: RegistryClient): Promise<void> {
  const reference = parseReference(image);
  const claim = signatureClaim();
  const [signed] = await sign({
    ...{ reference, claim, client, now, randomBytes },
    parties: signers.map((signer) => keyParty(signer)),
    recursive: false,
    mayBeThereAlready: true,
    verify: readBack({ verifier, client, repository: reference, authority, claim, now }),
  });
  if (signed?.added !== true) throw new Error(`${image} was signed before`);
}

async function perform({ work, images }: Command): Promise<number> {
  const shared = clientFor(images);
  let requests = 0;
  const withOwn = async (image: string): Promise<void> => {
    const own = clientFor([image]);
    await verify(image, own);
    requests += own.requests();
    await own.close();
  };
  try {
    if (work === 'verify-together') await Promise.all(images.map((image) => verify(image, shared)));
    else {
      for (const image of images) {
        if (work === 'verify-cold') await withOwn(image);
        else if (work === 'verify-warm') await verify(image, shared);
        else await signOne(image, shared);
      }
    }
    return requests + shared.requests();
  } finally {
    await shared.close();
  }
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  const requests = await perform(command);
  const { user, system } = process.cpuUsage(cpu);
  const count = command.images.length;
  const cost: Cost = {
    cpuMs: (user + system) / 1000 / count,
    wallMs: performance.now() - wall,
    requests: requests / count,
  };
  console.log(JSON.stringify(cost));
}
