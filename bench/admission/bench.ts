// What the admission controller adds to making a pod, what it costs, and what it holds in memory.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { provide } from '../../scripts/tools/provide.ts';
import { ToolError } from '../../src/cli/tools/errors.ts';
import { endAll } from '../../test/support/cleanup.ts';
import type { Bench } from '../measure/bench.ts';
import type { Section } from '../measure/row.ts';
import { startCluster } from './cluster.ts';
import { startSignedImages } from './images.ts';
import { measure } from './measure.ts';
import { rowsOf } from './rows.ts';

const title = 'Admission of pods';
const note =
  '`trellis webhook` with the arguments that the chart gives it, one replica, beside a bare node:https server that allows everything. One kube-apiserver calls both, with nothing in between; ' +
  'the namespace says which, or nobody, and pods are made one at a time, in one namespace after the other. They are dry runs: all of admission happens, and no write to etcd blurs it. ' +
  'A pod has three containers, each with an image by digest that was verified before, and a sidecar; where pods are mutated too, they come without, and it is injected. The API server works on that patch, and asks once more because of it, whoever sent it: ' +
  '"with the same patch" the no-op server answers with a copy of ours, elsewhere it changes nothing. Added: the percentile of a round with our webhooks less that with the no-op ones. ' +
  'CPU of known images: reviews as the API server sent one, posted straight to the processes, four at a time, over TLS connections that stay open. ' +
  'Never seen: one container, one pod after the other, each image with an ML-DSA-65 and an ECDSA P-256 signature, in a repository of its own of a go-containerregistry registry with referrers API, without TLS; a proxy counts requests. ' +
  'Memory (RSS) is of one process, the one that all is measured on afterwards; for many images that were never seen, signed ones were copied to twenty repositories each.';

export async function benchAdmission(bench: Bench): Promise<Section> {
  if (!(await hasTools(bench))) return { title, note, rows: [] };
  try {
    const images = await startSignedImages(bench.directory);
    const directory = join(bench.directory, 'webhook');
    await mkdir(directory);
    const cluster = await startCluster({
      ...{ directory, plainHttp: images.proxy.host, imageRules: images.rules },
    });
    return { title, note, rows: rowsOf(await measure(bench, cluster, images)) };
  } finally {
    await endAll();
  }
}

async function hasTools({ log }: Bench): Promise<boolean> {
  try {
    for (const name of ['kube', 'helm', 'oci-registry'] as const) {
      await provide(name, { env: process.env, log }, { installPackages: false });
    }
    return true;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    log(`MISSING: ${error.message}`);
    return false;
  }
}
