import type { Command } from 'commander';
import { type ImageReference, parseReference, repositoryName } from '../../registry/reference.ts';
import type { TrustedRoot } from '../../signing/keyless/trusted-root.ts';
import { addDeadlineOption, type DeadlineOptions, startDeadline } from '../deadline.ts';
import { print } from '../output.ts';
import { addRegistryOptions, type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { inspectionJson, renderInspection } from '../signing/render-inspection.ts';

interface InspectCommandOptions extends RegistryClientOptions, DeadlineOptions {
  readonly trustedRoot?: string;
  readonly json?: true;
}

export function registerInspect(program: Command): void {
  const command = program
    .command('inspect')
    .description('list what is attached to an image: signatures and attestations, whose, how large')
    .argument('<image>', 'an image', parseReference)
    .option(
      '--trusted-root <file>',
      'the Sigstore trusted root (JSON) to verify time-stamps with; nothing else is verified',
    )
    .option('--json', 'print one JSON document');
  addDeadlineOption(addRegistryOptions(command))
    .addHelpText(
      'after',
      '\nNo signature is verified: it is what each of them says about itself. trellis verify judges.',
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
  const trustedRoot =
    options.trustedRoot === undefined ? undefined : await trustedRootOf(options.trustedRoot);
  const client = await registryClientOf(options);
  const within = startDeadline(options);
  try {
    const inspection = await within((signal) =>
      inspect({ client, reference, trustedRoot, now: () => new Date(), signal }),
    );
    if (options.json) print(command, inspectionJson(inspection));
    else print(command, renderInspection(repositoryName(reference), inspection));
  } finally {
    await client.close();
  }
}

async function trustedRootOf(path: string): Promise<TrustedRoot> {
  return (await import('../signing/keyless-identity.ts')).readTrustedRoot(path);
}
