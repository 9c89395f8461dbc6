import type { Command } from 'commander';
import type { VerifyBlobOptions } from '../blob/verify-blob.ts';
import { addPublicKeyOption } from '../signing/key-options.ts';

export function registerVerifyBlob(program: Command): void {
  const command = program
    .command('verify-blob')
    .description('verify that a file carries the signatures of sign-blob')
    .argument('<file>', 'the file (- is standard input)');
  addPublicKeyOption(command)
    .option(
      '--bundle <file>',
      'a bundle of sign-blob; once for each (default: FILE.mldsa65.sigstore.json and so on, of each key)',
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Ends with 0 when all keys signed the file together, else with 1.

Example:
  trellis verify-blob --key ci.mldsa65.pub --key ci.p256.pub app.tar.gz`,
    )
    .action(run);
}

async function run(file: string, options: VerifyBlobOptions, command: Command): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { runVerifyBlob } = await import('../blob/verify-blob.ts');
  await runVerifyBlob(file, options, command);
}
