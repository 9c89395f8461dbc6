// The demo's own copy of the example's manifests: it can be edited without touching the checkout.

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exampleNetworks, moveAddresses, type Networks, podAddress } from './networks.ts';
import type { ManifestFile } from './services.ts';
import { writeAtomically } from './state-directory.ts';

export const probeName = 'probe';
const probeFile = 'probe.yaml';
/** Last number of the probe's address. */
export const probeHost = 99;

/** Reads every YAML file below a directory, in order of path. */
export async function readManifests(directory: string): Promise<readonly ManifestFile[]> {
  const names = await readdir(directory, { recursive: true });
  const paths = names.filter((name) => name.endsWith('.yaml')).sort();
  return await Promise.all(
    paths.map(async (path) => ({ path, text: await readFile(join(directory, path), 'utf8') })),
  );
}

/** The example's manifests, and the one of the probe. */
export async function exampleManifests(example: string, namespace: string): Promise<readonly ManifestFile[]> {
  const probe = { path: probeFile, text: probeManifest(namespace, podAddress(exampleNetworks, probeHost)) };
  return [...(await readManifests(example)), probe];
}

/** Makes a directory of manifests with their addresses moved: all of them, or, should the disk be full, none. */
export async function writeManifests(
  directory: string,
  files: readonly ManifestFile[],
  from: Networks,
  to: Networks,
): Promise<void> {
  const staging = `${directory}.new`;
  await rm(staging, { recursive: true, force: true });
  for (const { path, text } of files) {
    const target = join(staging, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await writeFile(target, moveAddresses(text, from, to), { mode: 0o600 });
  }
  await rename(staging, directory);
}

/** Moves the addresses of manifests that are in place, as a restart on other networks needs it. */
export async function moveManifests(directory: string, from: Networks, to: Networks): Promise<void> {
  for (const { path, text } of await readManifests(directory)) {
    const moved = moveAddresses(text, from, to);
    if (moved !== text) await writeAtomically(join(directory, path), moved);
  }
}

function probeManifest(namespace: string, address: string): string {
  return `# The demo's own client: a member of the mesh without a Service, with which the checks look at the others from outside.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: ${probeName}
  namespace: ${namespace}
---
apiVersion: v1
kind: Pod
metadata:
  name: ${probeName}
  namespace: ${namespace}
spec:
  serviceAccountName: ${probeName}
  containers:
  - name: ${probeName}
    image: registry.example/quantum-trader/${probeName}:1.0.0
  volumes:
  - name: trellis-identity
    csi:
      driver: csi.trellis.quantum.io
      readOnly: true
status:
  phase: Running
  podIP: ${address}
`;
}
