// Published test vectors, fetched through the Go module proxy into the cache directory: Wycheproof's, and NIST's own
// (ACVP), which circl keeps beside its tests. No Go is compiled; a module is a versioned archive with a checksum.

import { copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory, cached } from '../../src/cli/tools/cache.ts';
import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { run } from '../../src/cli/tools/process.ts';
import { findGo } from './go.ts';
import type { Tool } from './tool.ts';

interface VectorModule {
  /** Where its files go. */
  readonly directory: 'wycheproof' | 'acvp';
  readonly module: string;
  readonly version: string;
  /** Go's checksum of the whole module. */
  readonly sum: string;
  /** In the module. */
  readonly files: readonly string[];
}

const modules: readonly VectorModule[] = [
  {
    directory: 'wycheproof',
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
    ].map((name) => `testvectors_v1/${name}_test.json`),
  },
  {
    directory: 'acvp',
    module: 'github.com/cloudflare/circl',
    version: 'v1.6.1',
    sum: 'h1:zqIqSPIndyBh1bjLVVDHMPpVKqp8Su/V+6MeDzzQBQ0=',
    files: [
      'sign/mldsa/testdata/ML-DSA-keyGen-FIPS204',
      'kem/mlkem/testdata/ML-KEM-keyGen-FIPS203',
      'kem/mlkem/testdata/ML-KEM-encapDecap-FIPS203',
    ].flatMap((each) => [`${each}/prompt.json.gz`, `${each}/expectedResults.json.gz`]),
  },
];

/** Of the cache entry: other modules or files make another one. */
const version = '2025-09-01';
/** 36 MB, through a slow proxy. */
const downloadTimeoutMs = 10 * 60 * 1000;

/** The directory of the vectors: TRELLIS_VECTORS, else the cache. @throws ToolError */
export async function findVectors(search: ToolSearch): Promise<Tool> {
  const given = search.env['TRELLIS_VECTORS'];
  const path = given || (await fromCache(search));
  search.log(`vectors: ${version} at ${path}`);
  return { path, version };
}

async function fromCache(search: ToolSearch): Promise<string> {
  const cache = cacheDirectory(search.env);
  return await cached({
    cache,
    name: `vectors-${version}`,
    check: checkComplete,
    install: async (directory) => {
      search.log(`vectors: fetching ${modules.map(({ module }) => module).join(', ')} into ${cache}`);
      const go = await findGo(search);
      for (const each of modules) await install(each, go, directory, search.env);
      await writeFile(join(directory, recordName), JSON.stringify(await sizesIn(directory)));
    },
  });
}

async function install(
  { directory, module, version: moduleVersion, sum, files }: VectorModule,
  go: Tool,
  target: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  // A module cache of its own: unpacked, Wycheproof alone has 134 MB, of which 5 MB are used.
  const moduleCache = join(target, '.modules');
  const args = ['mod', 'download', '-C', target, '-json', `${module}@${moduleVersion}`];
  const settings = {
    ...env,
    GOMODCACHE: moduleCache,
    GOFLAGS: '-modcacherw',
    GOWORK: 'off',
    GOTOOLCHAIN: 'local',
  };
  const result = await run(go.path, args, { env: settings, timeoutMs: downloadTimeoutMs });
  if (result.status !== 0) throw new ToolError('ERR_TOOL_INSTALL', `go ${args.join(' ')}: ${result.problem}`);
  const answer = JSON.parse(result.stdout) as { readonly Dir?: string; readonly Sum?: string };
  if (answer.Dir === undefined || answer.Sum !== sum) {
    throw new ToolError('ERR_TOOL_INSTALL', `${module} ${moduleVersion} is not what it was: ${answer.Sum}`);
  }
  for (const file of files) {
    const destination = placeOf(target, directory, file);
    await mkdir(dirname(destination), { recursive: true });
    await copyFile(join(answer.Dir, file), destination);
  }
  await rm(moduleCache, { recursive: true, force: true });
}

/** The last directory is part of an ACVP file's name. */
function placeOf(root: string, directory: VectorModule['directory'], file: string): string {
  const [parent = '', name = ''] = file.split('/').slice(-2);
  return directory === 'acvp' ? join(root, directory, parent, name) : join(root, directory, name);
}

/** Written last: its presence says that everything was fetched, its content lets a torn file be noticed. */
const recordName = 'installed.json';

async function checkComplete(directory: string): Promise<string | undefined> {
  try {
    const record = await readFile(join(directory, recordName), 'utf8');
    return record === JSON.stringify(await sizesIn(directory)) ? directory : undefined;
  } catch {
    return undefined;
  }
}

async function sizesIn(root: string): Promise<Readonly<Record<string, number>>> {
  const places = modules.flatMap(({ directory, files }) =>
    files.map((file) => placeOf(root, directory, file)),
  );
  const sizes = await Promise.all(
    places.map(async (path) => [path.slice(root.length), (await stat(path)).size]),
  );
  return Object.fromEntries(sizes) as Record<string, number>;
}
