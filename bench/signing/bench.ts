// Verifying and signing images beside stock cosign, both against the same registry.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provide } from '../../scripts/tools/provide.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import type { Bench } from '../measure/bench.ts';
import { startCountingProxy } from '../measure/counting-proxy.ts';
import { pushImages } from '../measure/images.ts';
import { node, Program } from '../measure/program.ts';
import type { Row, Section } from '../measure/row.ts';
import { launcher, password, trellis } from '../measure/trellis.ts';
import type { Command, Cost } from './worker.ts';

const run = promisify(execFile);
/** Where all images are. */
const repository = 'bench';

const note =
  'One process, connections to a go-containerregistry registry with referrers API on loopback, images named by digest, each with an ML-DSA-65 and an ECDSA P-256 signature. ' +
  'In process: `src/signing` as a library, as admission uses it; cold with a new client for each image, warm with one. Cosign verifies the ECDSA half alone, once per process; its requests are counted by a proxy.';

export async function benchSigning(bench: Bench): Promise<Section> {
  const title = 'Image signatures';
  const programs = await programsHere(bench);
  if (programs === undefined) return { title, note, rows: [] };
  const registry = await Program.start({
    name: 'registry',
    command: programs.registry,
    args: [],
    ready: () => Promise.resolve(),
  });
  registry.send(
    JSON.stringify({ address: '127.0.0.1:0', auth: '', user: '', password: '', identityToken: '' }),
  );
  const host = (await registry.line()).trim();
  await trellis(bench.directory, 'keygen', '--out-prefix', join(bench.directory, 'ci'));
  const worker = await Program.start({
    name: 'worker',
    ...node(new URL('./worker.ts', import.meta.url), bench.directory),
    env: password,
  });
  try {
    return { title, note, rows: await measure(bench, { host, worker, cosign: programs.cosign }) };
  } finally {
    await worker.stop();
    await registry.stop();
  }
}

interface Parts {
  /** Of the registry. */
  readonly host: string;
  readonly worker: Program;
  readonly cosign: string;
}

async function measure(bench: Bench, { host, worker, cosign }: Parts): Promise<readonly Row[]> {
  const perform = async (work: Command['work'], images: readonly string[]): Promise<Cost> => {
    worker.send(JSON.stringify({ work, images } satisfies Command));
    return JSON.parse(await worker.line()) as Cost;
  };
  const batch = bench.quick ? 20 : 100;
  const processes = bench.quick ? 3 : 10;
  const verify = ['verify', '--key', join(bench.directory, 'ci.p256.pub'), '--insecure-ignore-tlog'];
  const both = ['p256', 'mldsa65'].flatMap((half) => ['--key', join(bench.directory, `ci.${half}.pub`)]);
  const config = join(bench.directory, 'signing-config.json');
  await run(cosign, ['signing-config', 'create', '--out', config], cosignEnv(bench));
  const signAlone = [
    'sign',
    '--yes',
    '--key',
    join(bench.directory, 'ci.p256.key'),
    '--signing-config',
    config,
  ];
  const signBoth = [
    'sign',
    ...['p256', 'mldsa65'].flatMap((half) => ['--key', join(bench.directory, `ci.${half}.key`)]),
  ];

  // Warms the code up: admission is a server.
  await perform('sign', await push(host, batch));
  const samples: Sample[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    bench.log(`signing: round ${round + 1} of ${bench.rounds}`);
    const images = await push(host, batch);
    const few = images.slice(0, processes);
    samples.push({
      sign: await perform('sign', images),
      cold: await perform('verify-cold', images),
      warm: await perform('verify-warm', images),
      together: await perform('verify-together', images),
      trellisVerify: await processCpuMs(bench, process.execPath, [launcher, 'verify', ...both], few),
      cosignVerify: await processCpuMs(bench, cosign, verify, few),
      trellisSign: await processCpuMs(
        bench,
        process.execPath,
        [launcher, ...signBoth],
        await push(host, processes),
      ),
      cosignSign: await processCpuMs(bench, cosign, signAlone, await push(host, processes)),
      cosignRequests: await countRequests(host, few[0] ?? '', (image) =>
        run(cosign, [...verify, image], cosignEnv(bench)),
      ),
    });
  }
  return rowsOf(samples, batch);
}

interface Sample {
  readonly sign: Cost;
  readonly cold: Cost;
  readonly warm: Cost;
  readonly together: Cost;
  readonly trellisVerify: number;
  readonly cosignVerify: number;
  readonly trellisSign: number;
  readonly cosignSign: number;
  readonly cosignRequests: number;
}

function rowsOf(samples: readonly Sample[], batch: number): readonly Row[] {
  const each = (value: (sample: Sample) => number) => samples.map(value);
  const cosignVerify = { name: 'cosign verify, a process', values: each((sample) => sample.cosignVerify) };
  return [
    {
      what: 'verify both halves, cold: requests',
      unit: 'requests',
      ours: each(({ cold }) => cold.requests),
      peer: { name: 'cosign verify', values: each(({ cosignRequests }) => cosignRequests) },
      goal: { of: 'ours', atMost: 3 },
    },
    {
      what: 'verify both halves, cold, in process: CPU',
      unit: 'ms',
      ours: each(({ cold }) => cold.cpuMs),
      peer: cosignVerify,
      goal: { of: 'ours', atMost: 3 },
    },
    { what: 'verify both halves, warm, in process: CPU', unit: 'ms', ours: each(({ warm }) => warm.cpuMs) },
    {
      what: `verify ${batch} images at once, in process: CPU for each`,
      unit: 'ms',
      ours: each(({ together }) => together.cpuMs),
    },
    {
      what: `verify ${batch} images at once, in process: time for all`,
      unit: 'ms',
      ours: each(({ together }) => together.wallMs),
    },
    {
      what: '`trellis verify`, a process, both halves: CPU',
      unit: 'ms',
      ours: each(({ trellisVerify }) => trellisVerify),
      peer: cosignVerify,
    },
    {
      what: 'sign with both, read back and verified, in process: CPU',
      unit: 'ms',
      ours: each(({ sign }) => sign.cpuMs),
    },
    {
      what: '`trellis sign`, a process, both halves: CPU',
      unit: 'ms',
      ours: each(({ trellisSign }) => trellisSign),
      peer: { name: 'cosign sign, a process, ECDSA', values: each(({ cosignSign }) => cosignSign) },
    },
  ];
}

interface Programs {
  readonly registry: string;
  readonly cosign: string;
}

async function programsHere({ log }: Bench): Promise<Programs | undefined> {
  const search = { env: process.env, log };
  const options = { installPackages: false };
  try {
    const registry = await provide('oci-registry', search, options);
    const cosign = await provide('cosign', search, options);
    return { registry: registry.path, cosign: cosign.path };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`MISSING: ${error.message}`);
    return undefined;
  }
}

function cosignEnv({ directory }: Bench) {
  return { env: { PATH: '/usr/bin:/bin', HOME: directory, TUF_ROOT: join(directory, 'tuf'), ...password } };
}

/** Of one process, user and system, on average: the shell counts what its children used. */
async function processCpuMs(
  bench: Bench,
  command: string,
  args: readonly string[],
  images: readonly string[],
): Promise<number> {
  const script = 'while read -r image; do "$@" "$image" >/dev/null 2>&1 || exit 1; done; times';
  const child = run('bash', ['-c', script, 'bash', command, ...args], cosignEnv(bench));
  child.child.stdin?.end(`${images.join('\n')}\n`);
  const { stdout } = await child;
  const [, children = ''] = stdout.split('\n');
  const used = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  if (used.length !== 2) throw new Error(`times said ${JSON.stringify(stdout)}`);
  const seconds = used.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
  return (seconds * 1000) / images.length;
}

/** What the work sends to the registry. */
async function countRequests(
  host: string,
  image: string,
  work: (image: string) => Promise<unknown>,
): Promise<number> {
  const proxy = await startCountingProxy(host);
  try {
    await work(image.replace(host, proxy.host));
    return proxy.count();
  } finally {
    proxy.close();
  }
}

/** Images by digest. */
async function push(host: string, count: number): Promise<readonly string[]> {
  return await pushImages(
    host,
    Array.from({ length: count }, () => repository),
  );
}
