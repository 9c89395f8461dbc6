import type { Binding, StatementInput } from '../../../../src/signing/format/statement.ts';
import { signPredicateType } from '../../../../src/signing/format/statement.ts';

export const hex = 'a'.repeat(64);

export const binding: Binding = {
  v: 1,
  id: '0123456789abcdef0123456789abcdef',
  reference: 'registry.example/trading/app',
  signedAt: new Date('2026-11-21T12:00:00.000Z'),
  signers: [
    { algorithm: 'ECDSA-P256', spkiSha256: 'e'.repeat(64) },
    { algorithm: 'ML-DSA-65', spkiSha256: 'd'.repeat(64) },
  ],
};

export const signature: StatementInput = {
  subject: `sha256:${hex}`,
  predicateType: signPredicateType,
  binding,
};

export const attestation: StatementInput = {
  subject: `sha256:${hex}`,
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: { buildDefinition: { buildType: 'https://example.com/ci' } },
  binding,
};

/** A JSON document that a test may take apart. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a test reaches into
export type Loose = any;

/** The document with one change. */
export function changed(document: unknown, change: (copy: Loose) => unknown): Buffer {
  const copy = structuredClone(document);
  const replaced = change(copy);
  return Buffer.from(JSON.stringify(replaced instanceof Replacement ? replaced.value : copy));
}

/** Returned by a change that replaces the whole document. */
export class Replacement {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}
