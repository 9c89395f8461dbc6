// The demo's end of guardian.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What is told to the guardian. */
export interface Guardian {
  /** End this process should the demo die. */
  watch(pid: number): void;
  forget(pid: number): void;
  /** Remove this path (absolute), and what is in it, should the demo die. */
  remove(path: string): void;
  /** All is cleaned up: the guardian ends. */
  dismiss(): Promise<void>;
}

export function startGuardian(node: string = process.execPath): Guardian {
  const script = fileURLToPath(new URL('guardian.ts', import.meta.url));
  // In a session of its own: a Ctrl-C in the terminal, or a kill of the demo's whole process group, must not end it.
  const child = spawn(node, [script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  const tell = (line: string): void => {
    if (child.stdin.writable) child.stdin.write(`${line}\n`);
  };
  return {
    watch: (pid) => tell(`+${pid}`),
    forget: (pid) => tell(`-${pid}`),
    remove: (path) => tell(path),
    dismiss: async () => {
      tell('bye');
      child.stdin.end();
      await ended(child);
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await once(child, 'exit');
}
