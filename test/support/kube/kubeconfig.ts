// A kubeconfig with one cluster and one user.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Access {
  readonly server: string;
  readonly caFile: string;
  readonly token: string;
}

/** @returns its path */
export async function writeAccess(directory: string, { server, caFile, token }: Access): Promise<string> {
  const path = join(directory, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  };
  // YAML is a superset of JSON.
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
