// The common part of sign and attest: one claim about several images, made by the same parties.

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { RegistryClient } from '../../registry/client.ts';
import { type ImageReference, repositoryName } from '../../registry/reference.ts';
import type { SigningParty } from '../../signing/sign/party.ts';
import type { Claim } from '../../signing/sign/payload.ts';
import { readBack } from '../../signing/sign/read-back.ts';
import { type SignedSubject, sign } from '../../signing/sign/sign.ts';
import { createVerifier } from '../../signing/verify/verifier.ts';
import { type DeadlineOptions, startDeadline } from '../deadline.ts';
import type { RegistryClientOptions } from '../registry-options.ts';
import { parseReferences, runForImages } from './run-for-images.ts';
import type { SigningOptions } from './signing-options.ts';
import { signingOf } from './signing-parties.ts';

export interface SigningRun {
  readonly images: readonly string[];
  readonly claim: Claim;
  readonly options: SigningOptions & RegistryClientOptions & DeadlineOptions & { readonly json?: true };
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
  const references = parseReferences(images);
  const { parties, authority, mayBeThereAlready, warnings, close } = await signingOf(options);
  const { writeErr } = command.configureOutput();
  for (const warning of warnings) writeErr?.(`trellis: warning: ${warning}\n`);
  const within = startDeadline(options);
  const verifier = createVerifier();
  const now = () => new Date();
  const work = async (reference: ImageReference, client: RegistryClient): Promise<SignedImage> => {
    const verify = readBack({ verifier, client, repository: reference, authority, claim, now });
    const request = { reference, claim, parties, recursive, verify, mayBeThereAlready };
    const subjects = await within((signal) => sign({ ...request, client, now, randomBytes }, signal));
    return { repository: repositoryName(reference), subjects };
  };
  try {
    await runForImages(
      {
        ...{ references, options, work, doing: words.doing, isGood: () => true },
        render: (signed: SignedImage) => render(signed, words.done),
        json: (signed: SignedImage, image) => ({ image, ok: true, ...signed }),
        document: { signers: parties.map(signerJson) },
        no: { one: `the image was not ${words.done}`, several: `not every image was ${words.done}` },
      },
      command,
    );
  } finally {
    await close();
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
