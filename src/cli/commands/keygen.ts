import type { Command } from 'commander';
import type { IssuingAlgorithm } from '../../crypto/algorithms.ts';
import type { KeygenOptions } from '../keys/keygen.ts';
import { addPasswordFileOption } from '../signing/key-options.ts';
import { signingAlgorithm } from '../signing-algorithm.ts';

export function registerKeygen(program: Command): void {
  const command = program
    .command('keygen')
    .description('make signing keys: an ML-DSA key and an ECDSA key, whose signatures are used together')
    .option('--out-prefix <path>', 'write PATH.mldsa65.key, PATH.mldsa65.pub and so on', 'trellis')
    .option(
      '--algorithm <name>',
      'ML-DSA-65, ML-DSA-87, ECDSA-P256 or ECDSA-P384; can be given again (default: ML-DSA-65 and ECDSA-P256)',
      collectAlgorithm,
    )
    .option('--kms <uri>', 'make or use a key in AWS KMS or Google Cloud KMS, and write its public half');
  addPasswordFileOption(command)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Private keys are written in cosign's encrypted format, which cosign opens when they are ECDSA keys. The password comes from
--password-file, TRELLIS_PASSWORD, COSIGN_PASSWORD or a prompt. Nothing is ever overwritten.

A key in a service is named awskms:///alias/NAME or gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K, as in cosign. It
never leaves the service. One run is about one key: ML-DSA-65 unless there is one of that name or --algorithm says otherwise.

Example:
  trellis keygen --out-prefix ci`,
    )
    .action(run);
}

function collectAlgorithm(
  text: string,
  before: readonly IssuingAlgorithm[] | undefined,
): readonly IssuingAlgorithm[] {
  return [...(before ?? []), signingAlgorithm(text)];
}

async function run(options: KeygenOptions, command: Command): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { keygen } = await import('../keys/keygen.ts');
  await keygen(options, command);
}
