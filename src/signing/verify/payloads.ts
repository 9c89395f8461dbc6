// Signatures by what they are over. Only those over one and the same payload ever count together.

import type { Statement } from '../format/statement.ts';
import type { CountedSignature } from './examine.ts';
import type { KeylessIdentity, KeylessVerifier } from './policy.ts';

/** One payload and everyone who signed it. */
export interface SignedPayload {
  readonly statement: Statement;
  /** spkiSha256 of the policy's keys that did. A set: who signs twice, or whose signature is copied, counts once. */
  readonly keys: ReadonlySet<string>;
  /** The certificates of others that did, each by who accepts it. */
  readonly certificates: readonly ReadonlyMap<KeylessVerifier, KeylessIdentity>[];
  /** All of them, each bundle by itself. */
  readonly signatures: readonly CountedSignature[];
}

export function byPayload(signatures: readonly CountedSignature[]): readonly SignedPayload[] {
  const payloads = Map.groupBy(signatures, ({ payloadId }) => payloadId);
  return [...payloads.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [{ statement: first.statement, ...signersOf(group), signatures: group }];
  });
}

function signersOf(group: readonly CountedSignature[]): Pick<SignedPayload, 'keys' | 'certificates'> {
  const keys = new Set<string>();
  const certificates: ReadonlyMap<KeylessVerifier, KeylessIdentity>[] = [];
  for (const { by } of group) {
    if (by.kind === 'key') keys.add(by.key.spkiSha256);
    else certificates.push(by.acceptedBy);
  }
  return { keys, certificates };
}
