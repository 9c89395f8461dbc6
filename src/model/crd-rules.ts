// The twins of the CEL rules in charts/trellis/crds. The API server evaluates CEL; the file source, which has no API
// server, evaluates these. A rule is found by its very text, so one that was changed or added in the schema without its
// twin fails at startup instead of being skipped.

import { ownField, valueAt } from './manifest.ts';
import type { FieldPath } from './problem.ts';

/** Whether the object that carries the rule obeys it. The object may be of any shape: other keywords report that. */
export type RuleTwin = (self: unknown) => boolean;

const has = (self: unknown, key: string) => ownField(self, key) !== undefined;
const verifies = (self: unknown) =>
  [undefined, 'verify'].includes(ownField(self, 'action') as string | undefined);

/** Whether no two keysets of an authority have a key with the same text at `path`. */
const distinctAcrossKeysets = (path: FieldPath): RuleTwin => {
  return (self) => {
    const keysets = ownField(self, 'keysets');
    if (!Array.isArray(keysets)) return true;
    const owners = new Map<unknown, number>();
    return keysets.every((keyset, index) => {
      const keys = ownField(keyset, 'keys');
      return !Array.isArray(keys) || keys.every((key) => isOwnedBy(owners, valueAt(key, path), index));
    });
  };
};

function isOwnedBy(owners: Map<unknown, number>, value: unknown, keyset: number): boolean {
  if (value === undefined) return true;
  const owner = owners.get(value) ?? keyset;
  owners.set(value, owner);
  return owner === keyset;
}

export const ruleTwins: ReadonlyMap<string, RuleTwin> = new Map<string, RuleTwin>([
  ['!has(self.selector) || !has(self.images)', (self) => !has(self, 'selector') || !has(self, 'images')],
  [
    "!has(self.selector) || !has(self.postQuantumEncryption) || self.postQuantumEncryption != 'required'",
    (self) => !has(self, 'selector') || ownField(self, 'postQuantumEncryption') !== 'required',
  ],
  [
    "(self.operator in ['In', 'NotIn']) == has(self.values)",
    (self) => ['In', 'NotIn'].includes(String(ownField(self, 'operator'))) === has(self, 'values'),
  ],
  [
    "has(self.authorities) == (!has(self.action) || self.action == 'verify')",
    (self) => has(self, 'authorities') === verifies(self),
  ],
  [
    "!has(self.action) || self.action == 'verify' || (!has(self.bindReference) && !has(self.attestations))",
    (self) => verifies(self) || (!has(self, 'bindReference') && !has(self, 'attestations')),
  ],
  ['has(self.keysets) || has(self.keyless)', (self) => has(self, 'keysets') || has(self, 'keyless')],
  [
    '!has(self.threshold) || (has(self.keysets) && self.threshold <= self.keysets.size())',
    (self) => {
      if (!has(self, 'threshold')) return true;
      const keysets = ownField(self, 'keysets');
      return Array.isArray(keysets) && Number(ownField(self, 'threshold')) <= keysets.length;
    },
  ],
  [
    '(has(self.publicKey) ? 1 : 0) + (has(self.kms) ? 1 : 0) + (has(self.configMapRef) ? 1 : 0) == 1',
    (self) => ['publicKey', 'kms', 'configMapRef'].filter((key) => has(self, key)).length === 1,
  ],
  [
    "!has(self.keysets) || self.keysets.all(a, a.keys.all(k, !has(k.publicKey) || self.keysets.exists_one(b, k.publicKey in b.keys.map(o, has(o.publicKey) ? o.publicKey : ''))))",
    distinctAcrossKeysets(['publicKey']),
  ],
  [
    "!has(self.keysets) || self.keysets.all(a, a.keys.all(k, !has(k.kms) || self.keysets.exists_one(b, k.kms in b.keys.map(o, has(o.kms) ? o.kms : ''))))",
    distinctAcrossKeysets(['kms']),
  ],
  [
    "!has(self.keysets) || self.keysets.all(a, a.keys.all(k, !has(k.configMapRef) || self.keysets.exists_one(b, k.configMapRef.spkiSha256 in b.keys.map(o, has(o.configMapRef) ? o.configMapRef.spkiSha256 : ''))))",
    distinctAcrossKeysets(['configMapRef', 'spkiSha256']),
  ],
  ['has(self.issuer) != has(self.issuerRegExp)', (self) => has(self, 'issuer') !== has(self, 'issuerRegExp')],
  [
    'has(self.subject) != has(self.subjectRegExp)',
    (self) => has(self, 'subject') !== has(self, 'subjectRegExp'),
  ],
  [
    "self.predicateType != 'https://sigstore.dev/cosign/sign/v1'",
    (self) => ownField(self, 'predicateType') !== 'https://sigstore.dev/cosign/sign/v1',
  ],
]);
