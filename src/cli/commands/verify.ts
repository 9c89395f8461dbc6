import type { Command } from 'commander';
import { addRegistryOptions, type RegistryClientOptions } from '../registry-options.ts';
import { annotation } from '../signing/annotations.ts';
import { checkOptions, verificationRules } from '../signing/option-rules.ts';
import { addVerificationOptions, type VerificationOptions } from '../signing/verification-options.ts';

type VerifyCommandOptions = VerificationOptions & RegistryClientOptions;

export function registerVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('verify that images carry the signatures that are demanded')
    .argument('<image...>', 'images; a tag is resolved once, and the digest it names is judged');
  addVerificationOptions(command).option(
    '-a, --annotation <key=value>',
    'the signature must say this; can be given again',
    annotation,
  );
  addRegistryOptions(command)
    .addHelpText(
      'after',
      `
Ends with 0 when every image is verified, with 1 when one is not, with 3 when a registry could not be asked.

Examples:
  trellis verify --key ci.mldsa65.pub --key ci.p256.pub registry.example/trading/gateway:1.4
  trellis verify --policy policy.yaml registry.example/trading/gateway:1.4`,
    )
    .action(run);
}

async function run(
  images: readonly string[],
  options: VerifyCommandOptions,
  command: Command,
): Promise<void> {
  checkOptions(command, verificationRules);
  // Loaded only now: no other command should have to read all of that.
  const { requirementsOf } = await import('../signing/verification-requirements.ts');
  const { runVerification } = await import('../signing/run-verification.ts');
  const policies = await requirementsOf(options);
  await runVerification({ images, policies, options, attestationsOnly: false }, command);
}
