// What key management services say when they refuse names accounts, roles and keys of whoever runs the webhook. It is for their log;
// whoever makes a pod is told that it failed, and as what.

import { SigningError, type SigningErrorCode } from '../../signing/errors.ts';
import type { JudgedImage, RequirementVerdict } from './judge-image.ts';

/** @param image as it was asked about */
export type Withheld = (image: string, error: SigningError) => void;

const sentences: Partial<Record<SigningErrorCode, string>> = {
  ERR_KMS_URI_INVALID: 'the policy names a key in a key management service by a URI that cannot be used',
  ERR_KMS_KEY: 'a key management service refused, or has no key there that can be used',
  ERR_KMS_UNAVAILABLE: 'a key management service could not be reached',
  ERR_KMS_CREDENTIALS: 'a key management service did not take the credentials of the webhook',
};

/** The same judgement with these sentences in place of the services' own. */
export function withholding(judged: JudgedImage, withheld: Withheld): JudgedImage {
  return {
    ...judged,
    requirements: judged.requirements.map((each) => neutral(each, judged.image, withheld)),
  };
}

function neutral(verdict: RequirementVerdict, image: string, withheld: Withheld): RequirementVerdict {
  if (verdict.outcome !== 'unknown' || !(verdict.error instanceof SigningError)) return verdict;
  const { error } = verdict;
  const sentence = sentences[error.code];
  if (sentence === undefined) return verdict;
  withheld(image, error);
  const reasons = [
    `it could not be judged: ${sentence} (${error.code}); whoever runs the webhook finds the reason in its log`,
  ];
  return { ...verdict, reasons };
}
