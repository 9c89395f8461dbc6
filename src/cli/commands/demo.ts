import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { onStopSignal } from '../shutdown.ts';

interface DemoCommandOptions {
  readonly exit?: boolean;
  readonly json?: boolean;
  readonly state?: string;
}

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('run a post-quantum mesh of eight services on this machine')
    .option('--exit', 'check everything once, then end: 0 when all checks held')
    .option('--json', 'with --exit: print the results as one JSON document')
    .option('--state <directory>', 'keep the files there, and write demo.json that says where everything is')
    .action(run);
}

async function run(
  { exit = false, json = false, state }: DemoCommandOptions,
  command: Command,
): Promise<void> {
  if (json && !exit) {
    throw new CliError('ERR_USAGE', '--json is for the results of --exit', { hint: 'add --exit' });
  }
  // Loaded only now: the demo starts dozens of other commands, and they should not have to read all of it.
  const { runDemo } = await import('../demo/run-demo.ts');
  const { writeOut, writeErr } = command.configureOutput();
  const stop = onStopSignal();
  try {
    await runDemo({
      mode: exit ? (json ? 'json' : 'list') : 'live',
      state,
      env: process.env,
      stdout: (text) => writeOut?.(text),
      stderr: (text) => writeErr?.(text),
      screen: process.stdout,
      errorScreen: process.stderr,
      signal: stop.signal,
    });
  } finally {
    stop.release();
  }
}
