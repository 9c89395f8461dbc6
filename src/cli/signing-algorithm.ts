// Names of algorithms on the command line, and what people write instead.

import { InvalidArgumentError } from 'commander';
import { type IssuingAlgorithm, isSignatureAlgorithm, signatureAlgorithms } from '../crypto/algorithms.ts';
import { nearestName } from '../model/nearest.ts';

const names = Object.keys(signatureAlgorithms).filter(isIssuing);

/** By letters and digits alone, in lower case. */
const hints: readonly (readonly [RegExp, IssuingAlgorithm, string])[] = [
  [
    /^(crystals)?dilithium(2|44)?$/,
    'ML-DSA-65',
    'drafts of ML-DSA were called Dilithium, and are incompatible with it',
  ],
  [/^(crystals)?dilithium3$/, 'ML-DSA-65', 'its draft was called Dilithium3, and is incompatible with it'],
  [/^(crystals)?dilithium5$/, 'ML-DSA-87', 'its draft was called Dilithium5, and is incompatible with it'],
  [/^mldsa44$/, 'ML-DSA-65', 'ML-DSA-44 is for verifying only'],
  [/^mldsa$/, 'ML-DSA-65', 'ML-DSA has several parameter sets'],
  [/^hashmldsa/, 'ML-DSA-65', 'the pre-hashed variant is another scheme'],
  [
    /^(falcon|fndsa|slhdsa|sphincs|xmss|lms|hss)/,
    'ML-DSA-65',
    'it is the post-quantum algorithm that verifiers have',
  ],
  [
    /^(rsa|rs\d|ps\d|ed25519|eddsa|ed448|dsa$)/,
    'ECDSA-P256',
    'it is the classical algorithm that Trellis has',
  ],
  [/^(ecdsa|ec|ecc|p256|es256|prime256v1|secp256r1|nistp256|ecdsap256sha256)$/, 'ECDSA-P256', ''],
  [/^(p384|es384|secp384r1|nistp384|ecdsap384sha384)$/, 'ECDSA-P384', ''],
  [/^(p521|es512|secp521r1|secp256k1|ecdsap521)/, 'ECDSA-P384', 'Trellis has the curves P-256 and P-384'],
];

/** An algorithm that Trellis makes keys of, by its exact name. @throws InvalidArgumentError with the name that was meant */
export function signingAlgorithm(text: string): IssuingAlgorithm {
  if (isIssuing(text)) return text;
  throw new InvalidArgumentError(advice(text));
}

function advice(text: string): string {
  const bare = text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const [, meant, why] = hints.find(([pattern]) => pattern.test(bare)) ?? [];
  const suggestion = meant ?? nearestName(text, names);
  if (suggestion === undefined) return `choose among ${names.join(', ')}.`;
  return why ? `use ${suggestion}: ${why}.` : `write ${suggestion}.`;
}

function isIssuing(name: string): name is IssuingAlgorithm {
  return isSignatureAlgorithm(name) && signatureAlgorithms[name].mayIssue;
}
