// The options of commands that sign.

import type { Command } from 'commander';
import { addSigningKeyOptions } from './key-options.ts';

export interface SigningOptions {
  readonly key: readonly string[];
  readonly passwordFile?: string;
  readonly keyless?: true;
  readonly identityToken?: string;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  /** False: no entry in a transparency log, `timestamp` proves the time. */
  readonly log?: boolean;
  readonly trustedRoot?: string;
  readonly timestamp?: string;
}

export function addSigningOptions(command: Command): Command {
  return addSigningKeyOptions(command)
    .option('--keyless', "also sign with a certificate for this CI job's identity; needs --trusted-root")
    .option('--identity-token <file>', 'the identity token for --keyless, where the CI system gives none')
    .option(
      '--fulcio-url <url>',
      'the certificate authority of --keyless (default: the public Sigstore instance)',
    )
    .option('--rekor-url <url>', 'the transparency log of --keyless (default: the public Sigstore instance)')
    .option('--no-log', 'keyless without a transparency log: --timestamp proves the time')
    .option(
      '--trusted-root <file>',
      'the Sigstore trusted root (JSON) that the keyless signature and the time-stamps must verify with',
    )
    .option('--timestamp <url>', 'an RFC 3161 time-stamp authority, to stamp every signature');
}
