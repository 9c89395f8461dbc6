// The identity that a keyless signature must have, in cosign's words.

import type { Command } from 'commander';

export interface KeylessIdentityOptions {
  readonly certificateIdentity?: string;
  readonly certificateIdentityRegexp?: string;
  readonly certificateOidcIssuer?: string;
  readonly certificateOidcIssuerRegexp?: string;
  readonly trustedRoot?: string;
  /** False: a time-stamp proves the time, without an entry in a transparency log. */
  readonly log: boolean;
}

export function addKeylessIdentityOptions(command: Command): Command {
  return command
    .option('--certificate-identity <text>', 'who signed keyless, exactly')
    .option('--certificate-identity-regexp <re2>', 'the same, as an expression that matches all of it')
    .option('--certificate-oidc-issuer <url>', 'who vouched for that identity, exactly')
    .option('--certificate-oidc-issuer-regexp <re2>', 'the same, as an expression that matches all of it')
    .option('--no-log', 'accept keyless signatures that a time-stamp alone proves to be made in time')
    .option(
      '--trusted-root <file>',
      'the Sigstore trusted root (JSON) that keyless signatures are verified with',
    );
}
