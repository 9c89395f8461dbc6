// Stock cosign for tests: a home of its own, and nothing of the caller's environment.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEnd } from './cleanup.ts';
import { testTool } from './tools.ts';

export interface CosignOptions {
  /** Beside PATH and HOME; e.g. COSIGN_PASSWORD, DOCKER_CONFIG, SSL_CERT_FILE. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** A new directory unless given. */
  readonly cwd?: string;
}

export interface CosignResult {
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** For a machine in trouble: cosign takes 100 ms. */
const timeoutMs = 50_000;

/** Runs it to its end; never rejects because of what it says. */
export async function runCosign(
  args: readonly string[],
  { env = {}, stdin = '', cwd }: CosignOptions = {},
): Promise<CosignResult> {
  const home = await mkdtemp(join(tmpdir(), 'trellis-cosign-'));
  onEnd(() => rm(home, { recursive: true, force: true }));
  const child = spawn(await testTool('cosign'), args, {
    cwd: cwd ?? home,
    timeout: timeoutMs,
    // Without these two it would ask Sigstore's servers for news.
    env: { PATH: '/nonexistent', HOME: home, TUF_ROOT: join(home, 'tuf'), ...env },
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status: status ?? undefined, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
