import type { Command } from 'commander';
import type { SignBlobOptions } from '../blob/sign-blob.ts';
import { addSigningKeyOptions } from '../signing/key-options.ts';
import { checkOptions, signingRules } from '../signing/option-rules.ts';

export function registerSignBlob(program: Command): void {
  const command = program
    .command('sign-blob')
    .description('sign a file with ML-DSA and ECDSA together; stock cosign accepts the ECDSA half')
    .argument('<file>', 'the file (- is standard input)');
  addSigningKeyOptions(command)
    .option(
      '--out-prefix <path>',
      'write PATH.mldsa65.sigstore.json and so on (default: the name of the file)',
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
All keys sign one statement, so that none of their signatures can be replaced alone. Each writes a Sigstore bundle; nothing is
ever overwritten.

Example:
  trellis sign-blob --key ci.mldsa65.key --key ci.p256.key app.tar.gz
  cosign verify-blob --key ci.p256.pub --insecure-ignore-tlog --bundle app.tar.gz.p256.sigstore.json app.tar.gz`,
    )
    .action(run);
}

async function run(file: string, options: SignBlobOptions, command: Command): Promise<void> {
  checkOptions(command, signingRules);
  // Loaded only now: no other command should have to read all of that.
  const { runSignBlob } = await import('../blob/sign-blob.ts');
  await runSignBlob(file, options, command);
}
