// `--sidecar-image`: what is injected, and what is still accepted.

import type { Command } from 'commander';
import type { SidecarRevision, SidecarSettings } from '../../admission/sidecar/settings.ts';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.ts';
import { CliError } from '../errors.ts';
import { collect } from '../options.ts';

/** For commands that ask no cluster: what its webhook was given. */
export function addSidecarOption(command: Command): Command {
  return command.option(
    '--sidecar-image <image>',
    'judge as where trellis webhook has this option (default: no sidecar is injected, as where the chart has no sidecar.image); given again: earlier ones',
    collect,
  );
}

/** Where it is of no matter which one is injected. */
export const someSidecar: SidecarSettings = {
  revisions: [{ name: 'offline', image: `envoy.invalid/envoy@sha256:${'0'.repeat(64)}` }],
};

/** What was assumed, as in "judged as where …". */
export function sidecarText(settings: SidecarSettings | undefined): string {
  if (settings === undefined) return 'no sidecar is injected';
  return settings === someSidecar ? 'a sidecar is injected' : `${settings.revisions[0].image} is injected`;
}

/** Enough of a digest for people to tell revisions apart. */
const shownDigits = 12;

/** @returns undefined for none: nothing is injected @throws CliError ERR_USAGE */
export function sidecarSettings(images: readonly string[]): SidecarSettings | undefined {
  const [first, ...others] = images.map(revisionOf);
  return first && { revisions: [first, ...others] };
}

function revisionOf(text: string): SidecarRevision {
  const reference = referenceOf(text);
  const { digest } = reference;
  if (digest === undefined) {
    throw new CliError(
      'ERR_USAGE',
      `--sidecar-image ${text}: a tag can be moved, and whoever moves it would own every proxy`,
      {
        hint: 'name the image by its digest, REGISTRY/REPOSITORY@sha256:…',
      },
    );
  }
  const [, hex = ''] = digest.split(':');
  return {
    name: `envoy-${hex.slice(0, shownDigits)}`,
    image: formatReference({ ...reference, tag: undefined }),
  };
}

function referenceOf(text: string): ImageReference {
  try {
    return parseReference(text);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('ERR_USAGE', `--sidecar-image: ${problem}`, { cause });
  }
}
