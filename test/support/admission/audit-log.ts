// What the API server writes down about pods: its audit log, with the annotations of the webhooks.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEnd } from '../cleanup.ts';

export interface AuditEntry {
  readonly verb: string;
  readonly objectRef?: { readonly namespace?: string; readonly name?: string; readonly subresource?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AuditLog {
  /** For `startKube`. */
  readonly apiServerArgs: readonly string[];
  /** What was asked of the pod, the oldest first. */
  ofPod(namespace: string, name: string): Promise<readonly AuditEntry[]>;
}

export async function makeAuditLog(): Promise<AuditLog> {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-audit-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const [policy, log] = [join(directory, 'policy.json'), join(directory, 'audit.log')];
  const rules = [
    {
      level: 'Metadata',
      verbs: ['create', 'update', 'patch'],
      resources: [{ group: '', resources: ['pods', 'pods/ephemeralcontainers'] }],
      omitStages: ['RequestReceived'],
    },
    { level: 'None' },
  ];
  await writeFile(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }));
  return {
    apiServerArgs: [
      `--audit-policy-file=${policy}`,
      `--audit-log-path=${log}`,
      // Otherwise what was done a moment ago is not in it yet.
      '--audit-log-mode=blocking',
    ],
    ofPod: async (namespace, name) => {
      const lines = (await readFile(log, 'utf8')).trim().split('\n');
      return lines
        .map((line) => JSON.parse(line) as AuditEntry)
        .filter(({ objectRef }) => objectRef?.namespace === namespace && objectRef.name === name);
    },
  };
}

/** Of the validating webhook: `decision`, `findings`, `images`. */
export function auditAnnotation({ annotations }: AuditEntry, name: string): string | undefined {
  return annotations?.[`validate.trellis.quantum.io/${name}`];
}
