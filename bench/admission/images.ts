// Signed images: a registry, a signer, and the policy that wants both signatures.

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onEnd } from '../../test/support/cleanup.ts';
import { startRegistry } from '../../test/support/registry.ts';
import { type CountingProxy, startCountingProxy } from '../measure/counting-proxy.ts';
import { copyImage, pushImages } from '../measure/images.ts';
import { node, Program } from '../measure/program.ts';
import { password, trellis } from '../measure/trellis.ts';
import type { Command } from '../signing/worker.ts';

export interface SignedImages {
  /** In front of the registry; images have its name. */
  readonly proxy: CountingProxy;
  /** For a QuantumSecurityPolicy. */
  readonly rules: readonly object[];
  /** That nobody has asked about, each in a repository of its own; references by digest. */
  make(count: number): Promise<readonly string[]>;
  /** The same by signing fewer: signatures do not name the repository that they are copied to, and the rule for them does not mind. */
  makeMany(count: number): Promise<readonly string[]>;
}

/** How many times one is copied. */
const copies = 20;

/** What is started ends with `endAll`, and with this process. */
export async function startSignedImages(benchDirectory: string): Promise<SignedImages> {
  const registry = await startRegistry({ kind: 'ggcr' });
  const proxy = await startCountingProxy(registry.host);
  onEnd(() => proxy.close());
  const directory = join(benchDirectory, 'admission');
  await mkdir(directory);
  await trellis(directory, 'keygen', '--out-prefix', join(directory, 'ci'));
  const worker = await Program.start({
    name: 'worker',
    ...node(new URL('../signing/worker.ts', import.meta.url), directory),
    env: password,
  });
  onEnd(() => worker.stop());
  const key = async (algorithm: string, file: string) => ({
    algorithm,
    publicKey: await readFile(join(directory, file), 'utf8'),
  });
  const keys = [await key('ML-DSA-65', 'ci.mldsa65.pub'), await key('ECDSA-P256', 'ci.p256.pub')];
  const authorities = [{ name: 'ci', keysets: [{ name: 'ci-2026', keys }] }];
  let made = 0;
  const make = async (count: number): Promise<readonly string[]> => {
    const repositories = Array.from({ length: count }, () => `bench/${made++}`);
    const images = await pushImages(proxy.host, repositories);
    worker.send(JSON.stringify({ work: 'sign', images } satisfies Command));
    await worker.line();
    return images;
  };
  return {
    proxy,
    rules: [
      { match: [`${proxy.host}/bench/**`], authorities },
      { match: [`${proxy.host}/copies/**`], authorities, bindReference: 'none' },
      { match: ['**'], action: 'deny' },
    ],
    make,
    makeMany: async (count) => {
      const sources = await make(Math.ceil(count / copies));
      const all: string[] = [];
      for (const [index, source] of sources.entries()) {
        const repositories = Array.from({ length: copies }, (_, copy) => `copies/${index}-${copy}`);
        all.push(...(await copyImage(source, repositories)));
      }
      return all.slice(0, count);
    },
  };
}
