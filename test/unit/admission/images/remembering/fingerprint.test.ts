import { describe, expect, test } from 'vitest';
import { createFingerprints } from '../../../../../src/admission/images/remembering/fingerprint.ts';
import type { VerificationPolicy } from '../../../../../src/signing/verify/policy.ts';
import { authorityOf, keylessFor, keysetOf, now, slsa } from '../../../signing/verify/support.ts';
import { ec, hybrid, ml, otherHybrid } from '../support.ts';

const keyless = keylessFor(ec);
const base: VerificationPolicy = {
  authorities: [authorityOf('ci', [keysetOf('a', [ml]), keysetOf('b', [ec])], { keyless })],
  bindReference: 'repository',
  annotations: { a: '1', b: '2' },
  exactAnnotations: false,
  attestations: [{ predicateType: slsa, condition: undefined }],
  revokedDigests: new Set(),
  revokedKeys: new Set(['00'.repeat(32)]),
};
const authorities = (...changes: Parameters<typeof authorityOf>) => ({
  authorities: [authorityOf(...changes)],
});

describe('another one for another', () => {
  /** A field that is new needs a line here, or below. */
  const examined: Record<
    Exclude<keyof VerificationPolicy, 'revokedDigests'>,
    readonly Partial<VerificationPolicy>[]
  > = {
    authorities: [
      authorities('ci', [keysetOf('a', [ml])], { keyless }),
      authorities('ci', [keysetOf('a', hybrid)], { keyless }),
      authorities('ci', [keysetOf('a', otherHybrid)], { keyless }),
      authorities('ci', [keysetOf('a', [ml]), keysetOf('b', [ec])]),
      authorities('ci', [keysetOf('a', [ml]), keysetOf('b', [ec])], { keyless: keylessFor(ec) }),
      { authorities: [...base.authorities, authorityOf('more', [keysetOf('a', otherHybrid)])] },
    ],
    bindReference: [{ bindReference: 'none' }],
    annotations: [{ annotations: {} }, { annotations: { a: '2', b: '1' } }],
    exactAnnotations: [{ exactAnnotations: true }],
    attestations: [{ attestations: [] }, { attestations: [{ predicateType: 'x', condition: undefined }] }],
    revokedKeys: [{ revokedKeys: new Set() }, { revokedKeys: new Set(['11'.repeat(32)]) }],
  };

  test.each(Object.entries(examined))('%s', (_, changes) => {
    const fingerprintOf = createFingerprints();
    const all = [base, ...changes.map((change) => ({ ...base, ...change }))].map(fingerprintOf);
    expect(new Set(all).size).toBe(all.length);
  });
});

test('the same one whatever only the conclusion asks for', () => {
  const fingerprintOf = createFingerprints();
  const condition = { text: 'true', holds: () => true as const };
  const same: readonly Partial<VerificationPolicy>[] = [
    authorities('release', [keysetOf('x', [ml], now), keysetOf('y', [ec])], { keyless, threshold: 2 }),
    { attestations: [{ predicateType: slsa, condition }] },
    { revokedDigests: new Set([`sha256:${'00'.repeat(32)}`]) },
    { annotations: { b: '2', a: '1' } },
  ];
  for (const changes of same) expect(fingerprintOf({ ...base, ...changes })).toBe(fingerprintOf(base));
});

test('a policy that cannot mean anything has none', () => {
  expect(() => createFingerprints()({ ...base, authorities: [] })).toThrow(/it names no authority/);
});
