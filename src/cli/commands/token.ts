import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { createJoinToken } from '../../identity/join-tokens.ts';
import { defaultJoinTokenTtlMs } from '../../identity/lifetimes.ts';
import type { NamespacedName } from '../../model/mesh.ts';
import { CliError } from '../errors.ts';
import { duration, workload } from '../options.ts';
import { print } from '../output.ts';
import { registerTokenFetch } from './token-fetch.ts';

interface TokenCommandOptions {
  readonly state: string;
  readonly workload: NamespacedName;
  readonly ttl: number;
}

export function registerToken(program: Command): void {
  const token = program
    .command('token')
    .description('join tokens, which admit agents to the mesh, and tokens of workloads');
  token
    .command('create')
    .description('print a join token for the agent of one pod; it can be used once')
    .requiredOption('--state <directory>', 'the state directory of the control plane')
    .requiredOption('--workload <namespace/pod>', 'the pod whose identity the agent may hold', workload)
    .addOption(
      new Option('--ttl <duration>', 'how long it can be used, at most 7 days')
        .argParser(duration)
        .default(defaultJoinTokenTtlMs, '1h'),
    )
    .action(run);
  registerTokenFetch(token);
}

async function run({ state, workload: name, ttl }: TokenCommandOptions, command: Command): Promise<void> {
  const directory = resolve(state);
  if (!(await isDirectory(directory))) {
    throw new CliError('ERR_CONFIGURATION', `there is no directory ${directory}`, {
      hint: 'give the --state directory of the control plane; it is created when the control plane first starts',
    });
  }
  const [namespace = '', pod = ''] = name.split('/');
  const { token } = await createJoinToken({
    dir: directory,
    workload: { namespace, name: pod },
    ttlMs: ttl,
    now: new Date(),
  });
  print(command, token);
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
