// A directory with policies and manifests, as somebody at a command line has one.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Policy } from '../../../../src/model/mesh.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';

export interface Workspace {
  readonly directory: string;
  path(name: string): string;
  /** An object as JSON, which is YAML too; several as one document each. */
  write(name: string, ...contents: readonly (object | string)[]): Promise<string>;
}

export async function workspace(): Promise<Workspace> {
  const directory = await temporaryDirectory();
  const path = (name: string) => join(directory, name);
  return {
    directory,
    path,
    write: async (name, ...contents) => {
      const documents = contents.map((each) =>
        typeof each === 'string' ? each : JSON.stringify(each, undefined, 2),
      );
      await mkdir(dirname(path(name)), { recursive: true });
      await writeFile(path(name), documents.join('\n---\n'));
      return path(name);
    },
  };
}

export function policyObject(spec: Policy['spec'], name = 'images', namespace = 'trading'): object {
  const metadata = { name, namespace };
  return { apiVersion: 'security.quantum.io/v1', kind: 'QuantumSecurityPolicy', metadata, spec };
}

export function podObject(
  image: string,
  changes: { readonly metadata?: object; readonly spec?: object } = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'trading', ...changes.metadata },
    spec: { containers: [{ name: 'app', image }], ...changes.spec },
  };
}

export function deploymentObject(image: string, name = 'app'): object {
  const template = { spec: { containers: [{ name: 'app', image }] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'trading' },
    spec: { template },
  };
}

/** Allows images of one place, and denies all others. */
export const allowPublic: Policy['spec'] = {
  images: [{ match: ['registry.example/public/**'], action: 'allow' }],
};
export const publicImage = 'registry.example/public/tool:1';
export const otherImage = 'registry.example/other/tool:1';
