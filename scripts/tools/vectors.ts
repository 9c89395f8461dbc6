// Published test vectors, from Go modules: Wycheproof's, and NIST's own (ACVP), which circl keeps beside its tests.

import { basename, dirname } from 'node:path';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { filesFromModules, type GoModule } from './module-files.ts';
import type { Tool } from './tool.ts';

const modules: readonly GoModule[] = [
  {
    module: 'github.com/C2SP/wycheproof',
    version: 'v0.0.0-20250901140545-b51abcfb8daf',
    sum: 'h1:5BKKVVVj676FUWirLcouEEL6GCYR9X0opkMlEUck8FY=',
    files: [
      ...['44', '65', '87'].flatMap((size) =>
        ['sign_noseed', 'sign_seed', 'verify'].map((kind) => `mldsa_${size}_${kind}`),
      ),
      'mlkem',
      'ecdsa_secp256r1_sha256',
      'ecdsa_secp384r1_sha384',
    ].map((name) => ({ from: `testvectors_v1/${name}_test.json`, to: `wycheproof/${name}_test.json` })),
  },
  {
    module: 'github.com/cloudflare/circl',
    version: 'v1.6.1',
    sum: 'h1:zqIqSPIndyBh1bjLVVDHMPpVKqp8Su/V+6MeDzzQBQ0=',
    files: [
      'sign/mldsa/testdata/ML-DSA-keyGen-FIPS204',
      'kem/mlkem/testdata/ML-KEM-keyGen-FIPS203',
      'kem/mlkem/testdata/ML-KEM-encapDecap-FIPS203',
    ]
      .flatMap((each) => [`${each}/prompt.json.gz`, `${each}/expectedResults.json.gz`])
      // The last directory is part of an ACVP file's name.
      .map((from) => ({ from, to: `acvp/${basename(dirname(from))}/${basename(from)}` })),
  },
];

/** Of the cache entry: other modules or files make another one. */
const version = '2025-09-01';

/** The directory of the vectors: TRELLIS_VECTORS, else the cache. @throws ToolError */
export async function findVectors(search: ToolSearch): Promise<Tool> {
  const given = search.env['TRELLIS_VECTORS'];
  const path = given || (await filesFromModules({ entry: `vectors-${version}`, modules }, search));
  search.log(`vectors: ${version} at ${path}`);
  return { path, version };
}
