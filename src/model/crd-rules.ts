// The twins of the CEL rules in charts/trellis/crds. The API server evaluates CEL; the file source, which has no API
// server, evaluates these. A rule is found by its very text, so one that was changed or added in the schema without its
// twin fails at startup instead of being skipped.

import { ownField } from './manifest.ts';

/** Whether the object that carries the rule obeys it. The object may be of any shape: other keywords report that. */
export type RuleTwin = (self: unknown) => boolean;

const has = (self: unknown, key: string) => ownField(self, key) !== undefined;
const verifies = (self: unknown) =>
  [undefined, 'verify'].includes(ownField(self, 'action') as string | undefined);

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
]);
