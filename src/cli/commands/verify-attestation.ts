import type { Command } from 'commander';
import { PolicyError } from '../../policy/errors.ts';
import type { AttestationRequirement } from '../../signing/verify/policy.ts';
import { CliError } from '../errors.ts';
import { addRegistryOptions, type RegistryClientOptions } from '../registry-options.ts';
import { checkOptions, verificationRules } from '../signing/option-rules.ts';
import { predicateType, predicateTypeNames } from '../signing/predicate-types.ts';
import { addVerificationOptions, type VerificationOptions } from '../signing/verification-options.ts';

interface VerifyAttestationOptions extends VerificationOptions, RegistryClientOptions {
  readonly type?: string;
  readonly condition?: string;
}

export function registerVerifyAttestation(program: Command): void {
  const command = program
    .command('verify-attestation')
    .description('verify that images carry a signed statement, and what it says')
    .argument('<image...>', 'images; a tag is resolved once, and the digest it names is judged')
    .option('--type <type>', `of the predicate: a URI, or ${predicateTypeNames}`, predicateType)
    .option(
      '--condition <cel>',
      'must be true of the statement (predicate, predicateType, subject); docs/conditions.md',
    );
  addVerificationOptions(command);
  addRegistryOptions(command)
    .addHelpText(
      'after',
      `
Whether the image itself is signed is not asked: trellis verify does that.

Example:
  trellis verify-attestation --type slsaprovenance1 --condition "predicate.buildDefinition.buildType == 'https://example.com/ci'" \\
    --key ci.mldsa65.pub --key ci.p256.pub registry.example/trading/gateway:1.4`,
    )
    .action(run);
}

async function run(
  images: readonly string[],
  options: VerifyAttestationOptions,
  command: Command,
): Promise<void> {
  checkOptions(command, verificationRules);
  const { type, condition, policy } = options;
  if (policy === undefined && type === undefined) {
    throw new CliError('ERR_USAGE', 'which statement?', {
      hint: `give --type: a URI, or ${predicateTypeNames}; or --policy FILE`,
    });
  }
  // Loaded only now: no other command should have to read all of that.
  const { requirementsOf } = await import('../signing/verification-requirements.ts');
  const { runVerification } = await import('../signing/run-verification.ts');
  const wanted = type === undefined ? [] : [await requirement(type, condition)];
  const policies = await requirementsOf(options, wanted);
  await runVerification({ images, policies, options, attestationsOnly: true }, command);
}

async function requirement(type: string, condition: string | undefined): Promise<AttestationRequirement> {
  if (condition === undefined) return { predicateType: type, condition };
  const { attestationRequirement } = await import(
    '../../admission/images/policies/attestation-requirement.ts'
  );
  try {
    return attestationRequirement(type, condition);
  } catch (error) {
    if (error instanceof PolicyError)
      throw new CliError('ERR_USAGE', `--condition: ${error.message}`, { cause: error });
    throw error;
  }
}
