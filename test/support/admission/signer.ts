// Who signs images in tests: keys by `trellis keygen`, signatures by `trellis sign` and by stock cosign, as a CI job makes them.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEnd } from '../cleanup.ts';
import { runTrellis } from '../cli.ts';
import { runCosign } from '../cosign.ts';

export const halves = ['ML-DSA-65', 'ECDSA-P256'] as const;
export type Half = (typeof halves)[number];

/** What `trellis keygen` calls their files. */
const fileEndings: Readonly<Record<Half, string>> = { 'ML-DSA-65': 'mldsa65', 'ECDSA-P256': 'p256' };

const env = { TRELLIS_PASSWORD: 'correct horse', COSIGN_PASSWORD: 'correct horse' };

/** A key as policies have it. */
export interface KeySpec {
  readonly algorithm: Half;
  readonly publicKey: string;
}

export interface Attached {
  /** Digest of the referrer. */
  readonly manifest: string;
  readonly claims: { readonly algorithm?: string };
}

export interface TestSigner {
  /** PEM. */
  readonly publicKeys: Readonly<Record<Half, string>>;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly fingerprints: Readonly<Record<Half, string>>;
  /** For `authorities` of a policy: a keyset of these keys. */
  authority(name?: string, keys?: readonly Half[]): object;
  /** By both keys. */
  sign(image: string, ...more: readonly string[]): Promise<void>;
  /** By the ECDSA key, with stock cosign. */
  cosign(image: string): Promise<void>;
  /** A statement about it, by both keys. */
  attest(image: string, predicateType: string): Promise<void>;
  /** What hangs on an image, as `trellis inspect` lists it. */
  attached(image: string): Promise<readonly Attached[]>;
  /** With all that hangs on it. */
  copy(image: string, to: string): Promise<void>;
}

export async function makeSigner(name = 'ci'): Promise<TestSigner> {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-signer-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const trellis = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await runTrellis(args, { cwd: directory, env });
    if (status !== 0) throw new Error(`trellis ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const cosign = async (...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await runCosign(args, { cwd: directory, env });
    if (status !== 0) throw new Error(`cosign ${args.join(' ')}: ${stderr}`);
  };
  const made = await trellis('keygen', '--json', '--out-prefix', name);
  const keyFile = (half: Half, kind: 'key' | 'pub') => `${name}.${fileEndings[half]}.${kind}`;
  const pem = (half: Half) => readFile(join(directory, keyFile(half, 'pub')), 'utf8');
  const publicKeys = { 'ML-DSA-65': await pem('ML-DSA-65'), 'ECDSA-P256': await pem('ECDSA-P256') };
  const keys = halves.flatMap((half) => ['--key', keyFile(half, 'key')]);
  return {
    publicKeys,
    fingerprints: fingerprintsIn(made),
    authority: (authority = name, members = halves) => ({
      name: authority,
      keysets: [
        {
          name: `${authority}-2026`,
          keys: members.map((algorithm): KeySpec => ({ algorithm, publicKey: publicKeys[algorithm] })),
        },
      ],
    }),
    sign: async (image, ...more) => {
      await trellis('sign', ...keys, ...more, image);
    },
    cosign: async (image) => {
      // Without it cosign would ask the public services.
      await cosign('signing-config', 'create', '--out', 'signing-config.json');
      const signing = ['--key', keyFile('ECDSA-P256', 'key'), '--signing-config', 'signing-config.json'];
      await cosign('sign', ...signing, '--yes', image);
    },
    attest: async (image, predicateType) => {
      await writeFile(join(directory, 'predicate.json'), '{"by": "ci"}');
      await trellis('attest', '--type', predicateType, '--predicate', 'predicate.json', ...keys, image);
    },
    copy: async (image, to) => {
      await trellis('copy', image, to);
    },
    attached: async (image) => {
      const listed = JSON.parse(await trellis('inspect', '--json', image)) as {
        readonly attached: readonly Attached[];
      };
      return listed.attached;
    },
  };
}

function fingerprintsIn(json: string): TestSigner['fingerprints'] {
  const { keys } = JSON.parse(json) as {
    readonly keys: readonly { readonly algorithm: string; readonly spkiSha256: string }[];
  };
  const of = (half: Half): string => {
    const found = keys.find(({ algorithm }) => algorithm === half);
    if (found === undefined) throw new Error(`trellis keygen made no ${half} key`);
    return found.spkiSha256;
  };
  return { 'ML-DSA-65': of('ML-DSA-65'), 'ECDSA-P256': of('ECDSA-P256') };
}
