// The common part of verify and verify-attestation.

import type { Command } from 'commander';
import { type JudgedImage, judgeImage } from '../../admission/images/judge-image.ts';
import type { CompiledImagePolicies } from '../../admission/images/policies/requirement.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { ImageReference } from '../../registry/reference.ts';
import { createVerifier } from '../../signing/verify/verifier.ts';
import type { RegistryClientOptions } from '../registry-options.ts';
import { imageJson, renderImage } from './render-verdict.ts';
import { parseReferences, runForImages } from './run-for-images.ts';

export interface VerificationRun {
  readonly images: readonly string[];
  readonly policies: CompiledImagePolicies;
  readonly attestationsOnly: boolean;
  readonly options: RegistryClientOptions & { readonly json?: true; readonly deadline: number };
}

/** @throws CliError when an image is not verified; what else went wrong for the only image */
export async function runVerification(run: VerificationRun, command: Command): Promise<void> {
  const { images, policies, options, attestationsOnly } = run;
  const verifier = createVerifier();
  // That an image may run without a signature says nothing about an attestation.
  const isGood = ({ ok, decision }: JudgedImage) => ok && (!attestationsOnly || decision === 'verified');
  const work = async (reference: ImageReference, client: RegistryClient): Promise<JudgedImage> => {
    const judged = await judgeImage(reference, policies, {
      ...{ verifier, client, attestationsOnly, now: () => new Date() },
      ...{ deadlineMs: options.deadline, exhaustive: options.json === true },
    });
    if (judged.decision === 'unknown') throw whyUnknown(judged);
    return judged;
  };
  await runForImages(
    {
      ...{ references: parseReferences(images), options, work, doing: 'verifying' },
      ...{ isGood, render: renderImage, json: imageJson },
      no: { one: 'the image is not verified', several: 'not every image is verified' },
    },
    command,
  );
}

/** That it is not known is no answer about the image: scripts tell the two apart by the exit code. */
function whyUnknown({ requirements }: JudgedImage): unknown {
  const unknown = requirements.find(
    ({ outcome, requirement }) => outcome === 'unknown' && requirement.enforcement === 'enforce',
  );
  return unknown?.outcome === 'unknown' ? unknown.error : new Error('a requirement could not be judged');
}
