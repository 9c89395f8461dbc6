import type { Command } from 'commander';
import { escapeInvisible } from '../../model/problem.ts';
import { type ImageReference, parseReference, repositoryName } from '../../registry/reference.ts';
import type { Attached, Inspection } from '../../signing/inspect.ts';
import { print } from '../output.ts';
import { addRegistryOptions, type RegistryClientOptions, registryClientOf } from '../registry-options.ts';

interface InspectCommandOptions extends RegistryClientOptions {
  readonly json?: true;
}

export function registerInspect(program: Command): void {
  const command = program
    .command('inspect')
    .description('list what is attached to an image: signatures and attestations, whose, how large')
    .argument('<image>', 'an image', parseReference)
    .option('--json', 'print one JSON document');
  addRegistryOptions(command)
    .addHelpText(
      'after',
      '\nNothing is verified: it is what each of them says about itself. trellis verify judges.',
    )
    .action(run);
}

async function run(
  reference: ImageReference,
  options: InspectCommandOptions,
  command: Command,
): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { inspect } = await import('../../signing/inspect.ts');
  const client = await registryClientOf(options);
  try {
    const inspection = await inspect(client, reference);
    if (options.json) print(command, JSON.stringify(inspection, undefined, 2));
    else print(command, render(repositoryName(reference), inspection));
  } finally {
    await client.close();
  }
}

function render(repository: string, { image, source, attached, notRead }: Inspection): string {
  const list = source === 'api' ? 'referrers API' : 'fallback tag; the registry has no referrers API';
  const lines = [
    `${repository}@${image.digest}`,
    `  ${image.mediaType}, ${image.size} bytes`,
    `  ${attached.length + notRead} referrers (${list}); nothing here has been verified`,
  ];
  for (const each of attached) lines.push(...renderAttached(each));
  if (notRead > 0) lines.push(`  ${notRead} more were not looked at`);
  return lines.map(escapeInvisible).join('\n');
}

function renderAttached(attached: Attached): readonly string[] {
  const { kind, predicateType, claims, binding, annotations, size, manifest, problem } = attached;
  const bytes = size === undefined ? '' : `, ${size} bytes`;
  if (kind === 'other') return [`  other  ${manifest}${bytes}`, `    ${problem}`];
  const what = kind === 'signature' ? 'signature' : `attestation ${predicateType}`;
  const lines = [`  ${what}  ${manifest}${bytes}`, `    ${claimant(claims)}${evidence(attached)}`];
  if (binding !== undefined) {
    const others = binding.signers.map(({ algorithm }) => algorithm).join(' + ');
    lines.push(
      `    ${others}, for ${binding.reference}, at ${binding.signedAt.toISOString()} by the signer's own clock`,
    );
  } else {
    lines.push('    names neither its signers nor the repository, as signatures by cosign do not');
  }
  for (const [key, value] of Object.entries(annotations)) lines.push(`    ${key}=${JSON.stringify(value)}`);
  return lines;
}

function claimant({ algorithm, spkiSha256, issuer, subject }: Attached['claims']): string {
  const key = spkiSha256 === undefined ? 'a key it does not name' : `${algorithm ?? 'a'} key ${spkiSha256}`;
  return subject === undefined ? key : `${subject} (${issuer}), ${key}`;
}

function evidence({ timestamps, inTransparencyLog }: Attached): string {
  const found = [
    ...(inTransparencyLog ? ['in a transparency log'] : []),
    ...(timestamps > 0 ? [`${timestamps} time-stamp${timestamps === 1 ? '' : 's'}`] : []),
  ];
  return found.length === 0 ? '' : `, ${found.join(', ')}`;
}
