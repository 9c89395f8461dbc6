// `--sidecar-image`: what is injected, and what is still accepted.

import type { SidecarRevision, SidecarSettings } from '../../admission/sidecar/settings.ts';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.ts';
import { CliError } from '../errors.ts';

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
