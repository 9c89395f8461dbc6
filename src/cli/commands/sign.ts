import type { Command } from 'commander';
import { addDeadlineOption, type DeadlineOptions } from '../deadline.ts';
import { addRegistryOptions, type RegistryClientOptions } from '../registry-options.ts';
import { annotation } from '../signing/annotations.ts';
import { checkOptions, signingRules } from '../signing/option-rules.ts';
import { addSigningOptions, type SigningOptions } from '../signing/signing-options.ts';

interface SignCommandOptions extends SigningOptions, RegistryClientOptions, DeadlineOptions {
  readonly annotation?: Readonly<Record<string, string>>;
  readonly recursive?: true;
  readonly json?: true;
}

export function registerSign(program: Command): void {
  const command = program
    .command('sign')
    .description('sign images with ML-DSA and ECDSA together; stock cosign accepts the result')
    .argument('<image...>', 'images; a tag is resolved once, and the digest it names is signed');
  addSigningOptions(command)
    .option('-a, --annotation <key=value>', 'say this in the signature; can be given again', annotation)
    .option('--recursive', 'also sign each manifest of a multi-architecture image')
    .option('--json', 'print one JSON document');
  addDeadlineOption(addRegistryOptions(command, 'signing'))
    .addHelpText(
      'after',
      `
All keys sign one statement, so that none of their signatures can be replaced alone. What was written is read back and verified.
Signing again with the same keys, for the same digest and repository, adds nothing.

Example:
  trellis sign --key ci.mldsa65.key --key ci.p256.key registry.example/trading/gateway:1.4`,
    )
    .action(run);
}

async function run(images: readonly string[], options: SignCommandOptions, command: Command): Promise<void> {
  checkOptions(command, signingRules);
  // Loaded only now: no other command should have to read all of that.
  const { signatureClaim } = await import('../../signing/sign/payload.ts');
  const { runSigning } = await import('../signing/run-signing.ts');
  const claim = signatureClaim(options.annotation);
  const words = { doing: 'signing', done: 'signed' };
  await runSigning({ images, claim, options, recursive: options.recursive === true, words }, command);
}
