// The options of commands that verify.

import { type Command, Option } from 'commander';
import { duration } from '../options.ts';
import { addPublicKeyOption } from './key-options.ts';
import { addKeylessIdentityOptions, type KeylessIdentityOptions } from './keyless-options.ts';

export interface VerificationOptions extends KeylessIdentityOptions {
  readonly key: readonly string[];
  readonly policy?: string;
  readonly bindReference?: 'repository' | 'none';
  readonly annotation?: Readonly<Record<string, string>>;
  readonly deadline: number;
  readonly json?: true;
}

const defaultDeadlineMs = 60_000;

export function addVerificationOptions(command: Command): Command {
  addPublicKeyOption(command).option(
    '--policy <file>',
    'decide by the QuantumSecurityPolicies in this file, in place of keys: all of them must allow, whatever their namespace',
  );
  return addKeylessIdentityOptions(command)
    .addOption(
      new Option(
        '--bind-reference <how>',
        'repository: the signature must name the repository the image is asked for in; none: as for signatures made by cosign alone',
      )
        .choices(['repository', 'none'])
        .default(undefined, 'repository'),
    )
    .addOption(
      new Option('--deadline <duration>', 'for each image, all in all')
        .argParser(duration)
        .default(defaultDeadlineMs, '1m'),
    )
    .option('--json', 'print one JSON document, with every signature found, good or not, and why');
}
