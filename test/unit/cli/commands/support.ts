// Command lines, run in this process where they end at once, and as processes of their own where they serve.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { main } from '../../../../src/cli/main.ts';
import { onEnd } from '../../../support/cleanup.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function trellis(...argv: readonly string[]): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  const exitCode = await main(argv, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { exitCode, stdout: withoutColors(stdout), stderr };
}

/** Colours are shown to terminals and in CI. Other sequences stay: none may come from what a file says. */
function withoutColors(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how a colour begins
  return text.replaceAll(/\u001b\[\d+m/g, '');
}

/** Demands that a command ends with a code, says what is wrong and what to do, and prints no result. */
export function expectFailure(outcome: Outcome, exitCode: number, ...messages: readonly RegExp[]): void {
  for (const message of messages) expect(outcome.stderr).toMatch(message);
  expect([outcome.exitCode, outcome.stdout]).toEqual([exitCode, '']);
  // A defect of ours would say so, and show a stack with --verbose only.
  expect(outcome.stderr).not.toMatch(/unexpected error|^ {4}at /m);
}

const script = fileURLToPath(new URL('../../../../bin/trellis.js', import.meta.url));

export class TrellisProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  #stdout = '';
  #stderr = '';

  /** @param input all of its standard input */
  constructor(argv: readonly string[], input = '') {
    const child = spawn(process.execPath, [script, ...argv], { stdio: 'pipe' });
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    this.ended = once(child, 'close').then(([code]) => ({
      exitCode: code as number,
      stdout: withoutColors(this.#stdout),
      stderr: this.#stderr,
    }));
    onEnd(async () => {
      child.kill('SIGKILL');
      await this.ended;
    });
  }

  /** Everything that it has printed so far. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    this.child.kill(signal);
    return this.ended;
  }
}
