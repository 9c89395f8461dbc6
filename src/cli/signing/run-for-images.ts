// The common part of commands that do the same for several images: one outcome each, one document, one end.

import type { Command } from 'commander';
import type { RegistryClient } from '../../registry/client.ts';
import { isNotFound } from '../../registry/errors.ts';
import { type ImageReference, parseReference } from '../../registry/reference.ts';
import { missingImageAdvice } from '../missing-image.ts';
import { forTerminal, print } from '../output.ts';
import { type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { forEachImage } from './batch.ts';
import { conclude, failureJson } from './outcome.ts';
import { progressOf } from './progress.ts';

/** What images are called on the command line, each once, and what that means. */
export type ImageReferences = ReadonlyMap<string, ImageReference>;

/** @throws RegistryError ERR_REFERENCE_INVALID */
export function parseReferences(images: readonly string[]): ImageReferences {
  return new Map(images.map((image) => [image, parseReference(image)]));
}

export interface ImagesRun<T> {
  readonly references: ImageReferences;
  readonly options: RegistryClientOptions & { readonly json?: true };
  /** As in "verifying". */
  readonly doing: string;
  readonly work: (reference: ImageReference, client: RegistryClient) => Promise<T>;
  /** Whether the answer about an image is a yes. */
  readonly isGood: (value: T) => boolean;
  readonly render: (value: T) => string;
  /** For the `images` of the JSON document. */
  readonly json: (value: T, image: string) => object;
  /** Beside them in the document. */
  readonly document?: object;
  /** Ends the command when an image got a "no"; of one image, of several. */
  readonly no: { readonly one: string; readonly several: string };
}

/** @throws CliError when an image got a "no"; what else went wrong for the only image */
export async function runForImages<T>(run: ImagesRun<T>, command: Command): Promise<void> {
  const { references, options, doing, work, isGood, render, json, document, no } = run;
  const client = await registryClientOf(options);
  try {
    const outcomes = await forEachImage(
      references,
      (reference) => work(reference, client),
      progressOf(command, references.size, doing),
    );
    if (options.json) {
      const images = outcomes.map((outcome) =>
        'value' in outcome ? json(outcome.value, outcome.image) : failureJson(outcome.image, outcome.error),
      );
      const ok = outcomes.every((outcome) => 'value' in outcome && isGood(outcome.value));
      print(command, forTerminal(JSON.stringify({ ok, images, ...document }, undefined, 2)));
    } else {
      for (const outcome of outcomes) {
        if ('value' in outcome) print(command, render(outcome.value));
        // The only one's error ends the command, and is told there.
        else if (outcomes.length > 1) print(command, failureLine(outcome.image, outcome.error));
      }
    }
    conclude(outcomes, isGood, { no: outcomes.length === 1 ? no.one : no.several });
  } finally {
    await client.close();
  }
}

function failureLine(image: string, error: unknown): string {
  const advice = isNotFound(error) ? `; ${missingImageAdvice}` : '';
  return forTerminal(`FAILED  ${image}: ${failureJson(image, error).error.message}${advice}`);
}
