import type { Command } from 'commander';
import { type CopyEvent, type CopyResult, copyImage } from '../../registry/copy.ts';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.ts';
import { addDeadlineOption, type DeadlineOptions, startDeadline } from '../deadline.ts';
import { print } from '../output.ts';
import { addRegistryOptions, type RegistryClientOptions, registryAccessOf } from '../registry-options.ts';

interface CopyCommandOptions extends RegistryClientOptions, DeadlineOptions {
  readonly referrers: boolean;
  readonly json?: true;
}

export function registerCopy(program: Command): void {
  const command = program
    .command('copy')
    .description('copy an image to another place, with its signatures and whatever else refers to it')
    .argument('<source>', 'the image; of a multi-architecture one all is copied')
    .argument('<destination>', 'where to, with the tag that it is to have there')
    .option('--no-referrers', 'leave signatures, attestations and other referrers behind')
    .option('--json', 'print one JSON document');
  addDeadlineOption(addRegistryOptions(command))
    .addHelpText(
      'after',
      `
Copying again adds what is missing. Digests stay as they are; a signature names the repository it was made for, and where a
policy demands that ("bindReference: repository") the copy is to be signed for its own one.

Example:
  trellis copy registry.example/trading/gateway:1.4 mirror.example/trading/gateway:1.4`,
    )
    .action(run);
}

async function run(from: string, to: string, options: CopyCommandOptions, command: Command): Promise<void> {
  const [source, destination] = [parseReference(from), parseReference(to)];
  const access = await registryAccessOf(options);
  const within = startDeadline(options);
  const { writeErr } = command.configureOutput();
  const report = (event: CopyEvent): void => writeErr?.(`${describe(event)}\n`);
  const request = { source, destination, referrers: options.referrers };
  try {
    const result = await within((signal) => copyImage(access, request, report, signal));
    print(command, options.json ? toJson(source, destination, result) : render(destination, result));
  } finally {
    await access.client.close();
  }
}

function describe(event: CopyEvent): string {
  switch (event.kind) {
    case 'manifest':
      return `${event.outcome} manifest ${event.digest}`;
    case 'referrer':
      return `refers to ${event.subject}: ${event.digest}`;
    case 'blob':
      return `${event.outcome} ${event.digest} (${event.size} bytes)`;
  }
}

function render(
  destination: ImageReference,
  { digest, manifests, blobs, bytes, referrers }: CopyResult,
): string {
  const sent = `${manifests.copied} manifests and ${blobs.copied} blobs sent (${bytes} bytes)`;
  const there = `${manifests.present} and ${blobs.present + blobs.mounted} there before`;
  return `${named(destination, digest)}\n${sent}, ${there}, ${referrers} referrers`;
}

function toJson(source: ImageReference, destination: ImageReference, result: CopyResult): string {
  const { digest, ...counts } = result;
  const places = { source: formatReference(source), destination: named(destination, digest) };
  return JSON.stringify({ ...places, digest, ...counts }, undefined, 2);
}

function named(destination: ImageReference, digest: CopyResult['digest']): string {
  return formatReference({ ...destination, digest });
}
