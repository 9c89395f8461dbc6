// Ten thousand admissions, two hundred at a time, through a real API server: none is decided wrongly, none is lost or late, the
// webhook needs no more memory at the end than for the first thousand, and what it counts is what it was asked.

import { beforeAll, expect, test } from 'vitest';
import { askAll, Faults } from '../support/admission/load.ts';
import { residentBytes } from '../support/admission/memory.ts';
import { type Case, faultOf, type Mixture, makeMixture } from '../support/admission/mixture.ts';
import { type AdmissionCluster, type Replica, startAdmission } from '../support/admission.ts';
import { pushTestImage, type TestImage } from '../support/registry/images.ts';
import { startRegistry } from '../support/registry.ts';

const admissions = 10_000;
const warmUp = 1_000;
const parallel = 200;
/** Of each namespace with a policy of its own. */
const images = 20;
const mebibyte = 1024 * 1024;
/** The heap is bounded from without: five kilobytes kept of each question would end the process. Twice what it needs. */
const heapMebibytes = 96;
/** What is not in the heap, such as bodies and sockets, may fluctuate, and that of two hundred requests at once. */
const maxGrowthBytes = 128 * mebibyte;

let cluster: AdmissionCluster;
let mixture: Mixture;
let replica: Replica;

beforeAll(async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  cluster = await startAdmission({
    plainHttp: [registry.host],
    env: { NODE_OPTIONS: `--max-old-space-size=${heapMebibytes} --max-semi-space-size=8` },
  });
  [replica] = cluster.replicas as [Replica];
  const push = (image: TestImage) => pushTestImage(registry, image);
  mixture = await makeMixture(cluster, { host: registry.host, push }, images);
}, 120_000);

const caseOf = (index: number): Case => mixture.cases[index % mixture.cases.length] as Case;

/** By webhook, kind and result; what is not there was never counted. */
async function counts(): Promise<(labels: string) => number> {
  const metrics = await replica.metrics();
  return (labels) => metrics.get(`trellis_admission_requests_total{${labels}}`) ?? 0;
}

/** What the webhook must have counted after these questions. */
function expectedCounts(asked: readonly Case[]): Map<string, number> {
  const expected = new Map<string, number>();
  const add = (webhook: string, kind: string, result: string): void => {
    const labels = `webhook="${webhook}",kind="${kind}",result="${result}"`;
    expected.set(labels, (expected.get(labels) ?? 0) + 1);
  };
  for (const { kind, expected: verdict, needsPinning = false } of asked) {
    add('validate', kind, 'refusal' in verdict ? 'denied' : 'allowed');
    // The mutating configuration is about pods alone.
    if (kind === 'Pod') add('mutate', kind, needsPinning ? 'patched' : 'allowed');
  }
  return expected;
}

test('ten thousand admissions', { timeout: 280_000 }, async () => {
  const faults = new Faults();
  const ask = async (index: number): Promise<void> => {
    const each = caseOf(index);
    const fault = faultOf(each, await mixture.ask(each, `asked-${index}`));
    if (fault !== undefined) faults.add(fault);
  };
  const before = await counts();
  await askAll(warmUp, parallel, ask);
  const warmBytes = await residentBytes(replica.program.pid);
  await askAll(admissions - warmUp, parallel, (index) => ask(warmUp + index));

  // More than the heap may have, and it would not be there.
  expect(replica.program.hasEnded()).toBe(false);
  expect(faults.list()).toEqual([]);
  const grownBytes = (await residentBytes(replica.program.pid)) - warmBytes;
  expect(grownBytes).toBeLessThan(maxGrowthBytes);
  const after = await counts();
  const expected = expectedCounts(Array.from({ length: admissions }, (_, index) => caseOf(index)));
  const counted = new Map([...expected.keys()].map((labels) => [labels, after(labels) - before(labels)]));
  expect(counted).toEqual(expected);
  const failed = ['Pod', 'Deployment', 'other'].flatMap((kind) =>
    ['validate', 'mutate'].map((webhook) => after(`webhook="${webhook}",kind="${kind}",result="failed"`)),
  );
  expect(failed).toEqual(failed.map(() => 0));
});
