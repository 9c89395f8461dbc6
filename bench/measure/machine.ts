// On what all this was measured.

import { cpus, totalmem } from 'node:os';

export interface MachineFacts {
  /** Versions; undefined where the program is not here. */
  readonly go: string | undefined;
  readonly envoy: string | undefined;
  readonly rounds: number;
}

/** One line. */
export function machineFacts({ go, envoy, rounds }: MachineFacts): string {
  const processors = cpus();
  return [
    new Date().toISOString().slice(0, 10),
    `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'})`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `Node ${process.versions.node}`,
    go === undefined ? 'no Go: peers not measured' : `Go ${go}`,
    envoy === undefined ? 'no Envoy' : `Envoy ${envoy}`,
    `${rounds} rounds`,
  ].join(' · ');
}
