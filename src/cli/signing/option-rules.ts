// Options that mean something only with others, or never beside them. One that would be ignored is an error: whoever gives
// --trusted-root believes that it is looked at.

import type { Command } from 'commander';
import { CliError } from '../errors.ts';

interface OptionRule {
  readonly option: string;
  /** One of them must be given too. */
  readonly needs?: readonly string[];
  /** None of them may be given too. */
  readonly excludes?: readonly string[];
}

const identities = ['--certificate-identity', '--certificate-identity-regexp'];
const issuers = ['--certificate-oidc-issuer', '--certificate-oidc-issuer-regexp'];

const sayWhatIsDemanded = [
  ...['--key', '--bind-reference', '--annotation', '--type', '--condition'],
  ...[...identities, ...issuers, '--trusted-root', '--no-log'],
];

export const signingRules: readonly OptionRule[] = [
  { option: '--identity-token', needs: ['--keyless'] },
  { option: '--fulcio-url', needs: ['--keyless'] },
  { option: '--rekor-url', needs: ['--keyless'], excludes: ['--no-log'] },
  { option: '--no-log', needs: ['--keyless'] },
  { option: '--no-log', needs: ['--timestamp'] },
  { option: '--keyless', needs: ['--trusted-root'] },
  { option: '--trusted-root', needs: ['--keyless', '--timestamp'] },
  { option: '--password-file', needs: ['--key'] },
];

export const verificationRules: readonly OptionRule[] = [
  { option: '--policy', excludes: sayWhatIsDemanded },
  { option: '--condition', needs: ['--type'] },
  ...identities.map((option) => ({ option, needs: issuers })),
  ...issuers.map((option) => ({ option, needs: identities })),
  { option: '--certificate-identity', excludes: ['--certificate-identity-regexp'] },
  { option: '--certificate-oidc-issuer', excludes: ['--certificate-oidc-issuer-regexp'] },
  ...identities.map((option) => ({ option, needs: ['--trusted-root'] })),
  { option: '--trusted-root', needs: identities },
  { option: '--no-log', needs: identities },
];

/** @throws CliError ERR_USAGE that names both options, for the first rule that is broken */
export function checkOptions(command: Command, rules: readonly OptionRule[]): void {
  for (const { option, needs, excludes = [] } of rules) {
    if (!isGiven(command, option)) continue;
    const clash = excludes.find((other) => isGiven(command, other));
    if (clash !== undefined) {
      throw new CliError('ERR_USAGE', `${option} and ${clash} cannot be given together`, {
        hint: 'leave out one of them',
      });
    }
    if (needs !== undefined && !needs.some((other) => isGiven(command, other))) {
      throw new CliError('ERR_USAGE', `${option} means nothing without ${needs.join(' or ')}`, {
        hint: `give ${needs.length === 1 ? 'it' : 'one of them'} too, or leave out ${option}; trellis ${command.name()} --help explains both`,
      });
    }
  }
}

/** On the command line: a default value does not count. A command may lack the option. */
function isGiven(command: Command, flag: string): boolean {
  const option = command.options.find(({ long }) => long === flag);
  return option !== undefined && command.getOptionValueSource(option.attributeName()) === 'cli';
}
