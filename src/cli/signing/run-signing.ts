// The common part of sign and attest: one claim about several images, made by the same parties.

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { parseReference, repositoryName } from '../../registry/reference.ts';
import type { SigningParty } from '../../signing/sign/party.ts';
import type { Claim } from '../../signing/sign/payload.ts';
import { readBack } from '../../signing/sign/read-back.ts';
import { type SignedSubject, sign } from '../../signing/sign/sign.ts';
import { createVerifier } from '../../signing/verify/verifier.ts';
import { print } from '../output.ts';
import { type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { forEachImage } from './batch.ts';
import { conclude, failureJson } from './outcome.ts';
import { progressOf } from './progress.ts';
import type { SigningOptions } from './signing-options.ts';
import { signingOf } from './signing-parties.ts';

export interface SigningRun {
  readonly images: readonly string[];
  readonly claim: Claim;
  readonly options: SigningOptions & RegistryClientOptions & { readonly json?: true };
  readonly recursive: boolean;
  readonly words: {
    /** As in "signing". */
    readonly doing: string;
    /** As in "signed". */
    readonly done: string;
  };
}

/** @throws what went wrong for the only image; CliError where not all of several were signed */
export async function runSigning(run: SigningRun, command: Command): Promise<void> {
  const { images, claim, options, recursive, words } = run;
  // Before a password is asked for.
  const references = new Map(images.map((image) => [image, parseReference(image)]));
  const { parties, authority, mayBeThereAlready, warnings } = await signingOf(options);
  const { writeErr } = command.configureOutput();
  for (const warning of warnings) writeErr?.(`trellis: warning: ${warning}\n`);
  const client = await registryClientOf(options);
  const verifier = createVerifier();
  const now = () => new Date();
  try {
    const outcomes = await forEachImage(
      [...references.keys()],
      async (image): Promise<SignedImage> => {
        const reference = references.get(image) ?? parseReference(image);
        const verify = readBack({ verifier, client, repository: reference, authority, claim, now });
        const subjects = await sign({
          ...{ reference, claim, parties, recursive, verify, mayBeThereAlready, client, now, randomBytes },
        });
        return { repository: repositoryName(reference), subjects };
      },
      progressOf(command, references.size, words.doing),
    );
    if (options.json) {
      const list = outcomes.map((outcome) =>
        'value' in outcome
          ? { image: outcome.image, ok: true, ...outcome.value }
          : failureJson(outcome.image, outcome.error),
      );
      print(command, JSON.stringify({ images: list, signers: parties.map(signerJson) }, undefined, 2));
    } else {
      for (const outcome of outcomes) {
        if ('value' in outcome) print(command, render(outcome.value, words.done));
        else if (references.size > 1) {
          print(
            command,
            `FAILED  ${outcome.image}: ${failureJson(outcome.image, outcome.error).error.message}`,
          );
        }
      }
    }
    conclude(outcomes, () => true, { no: `not every image was ${words.done}` });
  } finally {
    await client.close();
  }
}

interface SignedImage {
  readonly repository: string;
  readonly subjects: readonly SignedSubject[];
}

function render({ repository, subjects }: SignedImage, done: string): string {
  return subjects
    .map(({ digest, platform, added }) => {
      const what = platform === undefined ? '' : ` (${platform})`;
      return `${added ? done : `already ${done}`}  ${repository}@${digest}${what}`;
    })
    .join('\n');
}

function signerJson({ publicKey: { algorithm, spkiSha256 } }: SigningParty) {
  return { algorithm, spkiSha256 };
}
