import type { Command } from 'commander';
import { isJsonObject, parseStrictJson } from '../../registry/strict-json.ts';
import { maxStatementBytes } from '../../signing/format/statement.ts';
import { addDeadlineOption, type DeadlineOptions } from '../deadline.ts';
import { CliError } from '../errors.ts';
import { readNamedFile } from '../named-file.ts';
import { addRegistryOptions, type RegistryClientOptions } from '../registry-options.ts';
import { checkOptions, signingRules } from '../signing/option-rules.ts';
import { predicateType, predicateTypeNames } from '../signing/predicate-types.ts';
import { addSigningOptions, type SigningOptions } from '../signing/signing-options.ts';

interface AttestCommandOptions extends SigningOptions, RegistryClientOptions, DeadlineOptions {
  readonly type: string;
  readonly predicate: string;
  readonly recursive?: true;
  readonly json?: true;
}

export function registerAttest(program: Command): void {
  const command = program
    .command('attest')
    .description('sign a statement about images (provenance, an SBOM) with ML-DSA and ECDSA together')
    .argument('<image...>', 'images; a tag is resolved once, and the statement is about the digest it names')
    .requiredOption('--type <type>', `of the predicate: a URI, or ${predicateTypeNames}`, predicateType)
    .requiredOption('--predicate <file>', 'what is stated: a file with one JSON object');
  addSigningOptions(command)
    .option('--recursive', 'also about each manifest of a multi-architecture image')
    .option('--json', 'print one JSON document');
  addDeadlineOption(addRegistryOptions(command, 'signing'))
    .addHelpText(
      'after',
      `
Example:
  trellis attest --type slsaprovenance1 --predicate provenance.json --key ci.mldsa65.key --key ci.p256.key \\
    registry.example/trading/gateway:1.4`,
    )
    .action(run);
}

const maxPredicateDepth = 64;

async function run(
  images: readonly string[],
  options: AttestCommandOptions,
  command: Command,
): Promise<void> {
  checkOptions(command, signingRules);
  // Loaded only now: no other command should have to read all of that.
  const { runSigning } = await import('../signing/run-signing.ts');
  const predicate = await readPredicate(options.predicate);
  const claim = { predicateType: options.type, predicate, annotations: {} };
  const words = { doing: 'attesting', done: 'attested' };
  await runSigning({ images, claim, options, recursive: options.recursive === true, words }, command);
}

/** Strictly: what two readers would understand differently is not signed. */
async function readPredicate(path: string): Promise<unknown> {
  const bytes = await readNamedFile('the predicate', path, maxStatementBytes);
  let parsed: unknown;
  try {
    parsed = parseStrictJson(bytes, { maxBytes: maxStatementBytes, maxDepth: maxPredicateDepth });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('ERR_USAGE', `the predicate ${path} is no JSON: ${why}`, { cause: error });
  }
  if (isJsonObject(parsed)) {
    refuseUnfaithfulNumbers(parsed, path);
    return parsed;
  }
  throw new CliError('ERR_USAGE', `the predicate ${path} is not one JSON object`, {
    hint: 'in-toto predicates are objects; give the SBOM as JSON (spdx-json, cyclonedx-json)',
  });
}

/** What is signed is written anew: a number that would become another one is refused. */
function refuseUnfaithfulNumbers(value: unknown, path: string): void {
  if (typeof value === 'number') {
    if (
      Number.isFinite(value) &&
      !Object.is(value, -0) &&
      (!Number.isInteger(value) || Number.isSafeInteger(value))
    )
      return;
    throw new CliError(
      'ERR_USAGE',
      `the predicate ${path} has a number that JavaScript cannot hold exactly`,
      {
        hint: 'write whole numbers beyond 2^53, and those out of range, as text',
      },
    );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const each of Object.values(value)) refuseUnfaithfulNumbers(each, path);
}
