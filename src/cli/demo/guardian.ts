// Ends the demo's processes when the demo itself could not: it was killed without a chance to clean up (SIGKILL, a
// crash, the out-of-memory killer). Runs as a process of its own that the demo talks to over its standard input:
//
//   +<pid>      watch this process       -<pid>      it has ended
//   /<path>     remove this path         bye         the demo has cleaned up itself
//
// The pipe closes when the demo is gone, however it went.

import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time for SIGTERM to have its effect. Nobody is waiting for us, but what is left must not be left for long. */
const graceMs = 2000;
const lookEveryMs = 50;

const pids = new Set<number>();
const paths = new Set<string>();

/** Signal 0 only looks who is still there. */
function signalAll(signal: NodeJS.Signals | 0): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      pids.delete(pid);
    }
  }
}

async function cleanUp(): Promise<void> {
  signalAll('SIGTERM');
  for (let waited = 0; pids.size > 0 && waited < graceMs; waited += lookEveryMs) {
    await sleep(lookEveryMs);
    signalAll(0);
  }
  signalAll('SIGKILL');
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}

// A Ctrl-C or a closed terminal is the demo's business: it tells us, or its pipe does.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const rest = line.slice(1);
  if (line === 'bye') process.exit(0);
  else if (line.startsWith('+')) pids.add(Number(rest));
  else if (line.startsWith('-')) pids.delete(Number(rest));
  else if (line.startsWith('/')) paths.add(line);
}
await cleanUp();
