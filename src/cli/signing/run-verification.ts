// The common part of verify and verify-attestation: several images, one answer each, one end.

import type { Command } from 'commander';
import { parseReference } from '../../registry/reference.ts';
import { createVerifier } from '../../signing/verify/verifier.ts';
import { print } from '../output.ts';
import { type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { forEachImage } from './batch.ts';
import type { Demands } from './demands.ts';
import { type JudgedImage, judgeImage } from './judge-image.ts';
import { conclude, failureJson } from './outcome.ts';
import { progressOf } from './progress.ts';
import { imageJson, renderImage } from './render-verdict.ts';

export interface VerificationRun {
  readonly images: readonly string[];
  readonly demands: Demands;
  readonly attestationsOnly: boolean;
  readonly options: RegistryClientOptions & { readonly json?: true; readonly deadline: number };
}

/** @throws CliError when an image is not verified; what else went wrong for the only image */
export async function runVerification(run: VerificationRun, command: Command): Promise<void> {
  const { images, demands, options, attestationsOnly } = run;
  const references = images.map((image) => [image, parseReference(image)] as const);
  const byImage = new Map(references);
  const client = await registryClientOf(options);
  const verifier = createVerifier();
  try {
    const outcomes = await forEachImage(
      [...byImage.keys()],
      (image) =>
        judgeImage(byImage.get(image) ?? parseReference(image), {
          verifier,
          client,
          demands,
          now: () => new Date(),
          deadlineMs: options.deadline,
          exhaustive: options.json === true,
          attestationsOnly,
        }),
      progressOf(command, images.length, 'verifying'),
    );
    const isGood = ({ ok }: JudgedImage) => ok;
    if (options.json) {
      const list = outcomes.map((outcome) =>
        'value' in outcome ? imageJson(outcome.value) : failureJson(outcome.image, outcome.error),
      );
      print(command, JSON.stringify({ ok: list.every(({ ok }) => ok), images: list }, undefined, 2));
    } else {
      for (const outcome of outcomes) {
        if ('value' in outcome) print(command, renderImage(outcome.value));
        else if (images.length > 1) {
          print(
            command,
            `FAILED  ${outcome.image}: ${failureJson(outcome.image, outcome.error).error.message}`,
          );
        }
      }
    }
    const no = images.length === 1 ? 'the image is not verified' : 'not every image is verified';
    conclude(outcomes, isGood, { no });
  } finally {
    await client.close();
  }
}
