// What a process holds of the machine's memory, as Linux counts it.

import { readFile } from 'node:fs/promises';

const kibibyte = 1024;

/** Bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match?.[1] === undefined) throw new Error(`no VmRSS of process ${pid}`);
  return Number(match[1]) * kibibyte;
}
