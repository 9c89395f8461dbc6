// The matrix of what may hang on an image: whole, stripped, mixed, copied, foreign.

import { describe, expect, test, vi } from 'vitest';
import { digestOf } from '../../../../src/registry/digest.ts';
import { keyHint } from '../../../../src/signing/keys/public-key.ts';
import type { Authority, VerificationPolicy } from '../../../../src/signing/verify/policy.ts';
import { failure } from '../support.ts';
import {
  authorityOf,
  bundleBytes,
  certificateBundle,
  codesOf,
  cosignPayload,
  digest,
  expectDenied,
  found,
  keylessFor,
  keysetOf,
  nameOf,
  now,
  otherHalf,
  payloadBy,
  policyOf,
  reasonsOf,
  signed,
  slsa,
  testKey,
  verdictOn,
} from './support.ts';

const ml = testKey('ML-DSA-65');
const ec = testKey('ECDSA-P256');
const ml2 = testKey('ML-DSA-87');
const ec2 = testKey('ECDSA-P384');
const certificateKey = testKey('ECDSA-P256');

const hybrid = [ml, ec];
const keyset = keysetOf('ci-2026', hybrid);
const ci = authorityOf('ci', [keyset]);
const policy = policyOf([ci]);
const otherImage = digestOf(Buffer.from('another image'));

describe('a keyset', () => {
  test('holds when all its keys have signed one payload', () => {
    const verdict = verdictOn(signed(hybrid), policy);
    expect(verdict.ok).toBe(true);
    expect(verdict.digest).toBe(digest);
    expect(verdict.authorities).toMatchObject([
      { name: 'ci', ok: true, code: 'satisfied', keysets: [{ name: 'ci-2026', ok: true, code: 'holds' }] },
    ]);
    expect(verdict.signatures).toMatchObject([
      { ok: true, code: 'valid', algorithm: 'ML-DSA-65', spkiSha256: ml.publicKey.spkiSha256 },
      { ok: true, code: 'valid', algorithm: 'ECDSA-P256', spkiSha256: ec.publicKey.spkiSha256 },
    ]);
    expect(verdict.signatures[0]?.binding?.reference).toBe('registry.example/trading/app');
  });

  test.each([
    ['no bundle at all', []],
    ['the ML-DSA half alone', signed(hybrid).slice(0, 1)],
    ['the ECDSA half alone', signed(hybrid).slice(1)],
    ['the ML-DSA halves of two signings', [...signed(hybrid).slice(0, 1), ...signed(hybrid).slice(0, 1)]],
  ])('does not hold with %s', (_, bundles) => {
    expectDenied(verdictOn(bundles, policy), /no valid signature of (ML-DSA-65|ECDSA-P256) key [0-9a-f]{12}/);
  });

  test('says which half was stripped', () => {
    const [mlHalf, ecHalf] = signed(hybrid);
    if (mlHalf === undefined || ecHalf === undefined) throw new Error('two halves');
    const label = (key: typeof ml) =>
      `${key.publicKey.algorithm} key ${key.publicKey.spkiSha256.slice(0, 12)}`;
    const withoutMl = verdictOn([ecHalf], policy);
    expect(withoutMl.authorities[0]?.keysets[0]?.code).toBe('signature-missing');
    expectDenied(
      withoutMl,
      new RegExp(`"ci".*"ci-2026": ${label(ec)} has signed.*no valid signature of ${label(ml)}.*sign again`),
    );
    expectDenied(
      verdictOn([mlHalf], policy),
      new RegExp(`${label(ml)} has signed.*signature of ${label(ec)}`),
    );
  });

  test('does not hold with halves of two signings', () => {
    const [mlHalf] = signed(hybrid);
    const [, ecHalf] = signed(hybrid);
    const verdict = verdictOn(
      [mlHalf, ecHalf].flatMap((half) => half ?? []),
      policy,
    );
    expectDenied(verdict, /no valid signature of/);
    expect(codesOf(verdict)).toEqual(['valid', 'valid']);
  });

  test('does not hold when the payloads differ in one byte', () => {
    const one = payloadBy(hybrid, { id: 'a'.repeat(32) });
    const other = payloadBy(hybrid, { id: `${'a'.repeat(31)}b` });
    const spaced = Buffer.from(one.toString().replace('"predicateType":', '"predicateType": '));
    const half = found(bundleBytes(ml, one));
    expect(verdictOn([half, found(bundleBytes(ec, one))], policy).ok).toBe(true);
    expectDenied(verdictOn([half, found(bundleBytes(ec, other))], policy));
    // Even where both say the same.
    expectDenied(verdictOn([half, found(bundleBytes(ec, spaced))], policy));
  });

  test('does not hold when the signatures were swapped between the bundles', () => {
    const payload = payloadBy(hybrid);
    const hint = (key: typeof ml) => Buffer.from(key.publicKey.spkiSha256, 'hex').toString('base64');
    const swapped = [
      found(bundleBytes(ml, payload, { hint: hint(ec) })),
      found(bundleBytes(ec, payload, { hint: hint(ml) })),
    ];
    // The hint decides nothing: these are two good signatures.
    expect(verdictOn(swapped, policy).ok).toBe(true);
    const a = payloadBy(hybrid);
    const b = payloadBy(hybrid);
    const crossed = [
      found(bundleBytes(ml, a, { signature: ml.sign(b) })),
      found(bundleBytes(ec, b, { signature: ec.sign(a) })),
    ];
    const verdict = verdictOn(crossed, policy);
    expectDenied(verdict, /was altered/);
    expect(codesOf(verdict)).toEqual(['signature-invalid', 'signature-invalid']);
  });

  test.each([
    ['no hint', ''],
    ['a hint that is no base64', '?'],
    ['the hint of nobody', Buffer.alloc(32, 7).toString('base64')],
  ])('holds, or does not, by its keys with %s', (_, hint) => {
    const payload = payloadBy(hybrid);
    const bundles = hybrid.map((key) => found(bundleBytes(key, payload, { hint })));
    expect(verdictOn(bundles, policy).ok).toBe(true);
    const foreign = [ml2, ec2].map((key) => found(bundleBytes(key, payload, { hint })));
    const verdict = verdictOn(foreign, policy);
    expectDenied(verdict, /no key of the policy made its signature/);
    expect(codesOf(verdict)).toEqual(['unknown-key', 'unknown-key']);
  });

  test('holds in any order, copied any number of times, among any others', () => {
    const bundles = signed(hybrid);
    const others = [...signed([ml2, ec2]), ...signed(hybrid, { subject: otherImage }), ...signed([ml])];
    const all = [...others, ...bundles, ...bundles, ...others];
    expect(verdictOn(all.toReversed(), policy).ok).toBe(true);
    expect(verdictOn(all, policy).ok).toBe(true);
    expectDenied(verdictOn([...others, ...others], policy));
  });

  test('counts a malleable ECDSA signature once', () => {
    const payload = cosignPayload();
    const signature = ec.sign(
      Buffer.concat([Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${payload.length} `), payload]),
    );
    const twice = [
      found(bundleBytes(ec, payload, { signature })),
      found(bundleBytes(ec, payload, { signature: otherHalf(signature) })),
    ];
    const two = authorityOf('two', [keysetOf('a', [ec]), keysetOf('b', [ml])], { threshold: 2 });
    const verdict = verdictOn(twice, policyOf([two], { bindReference: 'none' }));
    expect(codesOf(verdict)).toEqual(['valid', 'valid']);
    expectDenied(verdict, /needs 2 of 2 keysets/);
    expect(
      verdictOn(twice, policyOf([authorityOf('one', [keysetOf('a', [ec])])], { bindReference: 'none' })).ok,
    ).toBe(true);
  });

  test('does not hold with a larger keyset’s signature, nor a smaller one’s', () => {
    const alone = policyOf([authorityOf('ci', [keysetOf('ecdsa', [ec])])]);
    const verdict = verdictOn(signed(hybrid), alone);
    expectDenied(
      verdict,
      /is signed by ECDSA-P256 key \w{12} and ML-DSA-65 key \w{12} together, and no keyset of the policy has exactly these keys/,
    );
    expect(codesOf(verdict)).toEqual(['other-signers', 'other-signers']);
    const separate = [...signed([ml]), ...signed([ec])];
    expectDenied(
      verdictOn(separate, policy),
      /is signed by ML-DSA-65 key \w{12} alone, and no keyset of the policy has this key and no other;/,
    );
  });

  test('does not hold when others than its keys are named, though all its keys have signed', () => {
    const payload = payloadBy(hybrid);
    const both = hybrid.map((key) => found(bundleBytes(key, payload)));
    const wanted = policyOf([ci, authorityOf('release', [keysetOf('ecdsa', [ec])])]);
    const verdict = verdictOn(both, wanted);
    expect(verdict.authorities.map(({ ok }) => ok)).toEqual([true, false]);
    expect(verdict.authorities[1]?.keysets[0]).toMatchObject({ code: 'other-signers', ok: false });
    expect(verdictOn([...both, ...signed([ec])], wanted).ok).toBe(true);
  });

  test('does not hold with a key named under another algorithm', () => {
    const payload = payloadBy([ec], { signers: [{ ...nameOf(ec), algorithm: 'ECDSA-P384' }] });
    const alone = policyOf([authorityOf('ci', [keysetOf('k', [ec])])]);
    const verdict = verdictOn([found(bundleBytes(ec, payload))], alone);
    expectDenied(verdict);
    expect(codesOf(verdict)).toEqual(['other-signers']);
  });

  test('says which signatures make it hold, and names none where it does not', () => {
    const other = [ml2, ec2];
    const [good, expired] = [signed(hybrid), signed(other)];
    const policy = policyOf([
      authorityOf('ci', [
        keysetOf('new', hybrid),
        keysetOf('old', other, now),
        keysetOf('part', [certificateKey]),
      ]),
    ]);
    const { authorities } = verdictOn([...expired, ...good], policy);
    expect(authorities[0]?.keysets.map(({ manifests }) => manifests)).toEqual([
      good.map(({ manifest }) => manifest),
      [],
      [],
    ]);
  });

  test('counts its own signatures only, where a payload does not say who signs it', () => {
    const payload = cosignPayload();
    const [mine, another] = [ec, certificateKey].map((key) => found(bundleBytes(key, payload)));
    const policy = policyOf(
      [authorityOf('ci', [keysetOf('k', [ec])]), authorityOf('qa', [keysetOf('q', [certificateKey])])],
      {
        bindReference: 'none',
      },
    );
    const { authorities } = verdictOn(
      [mine, another].flatMap((each) => each ?? []),
      policy,
    );
    expect(authorities.map(({ keysets }) => keysets[0]?.manifests)).toEqual([
      [mine?.manifest],
      [another?.manifest],
    ]);
  });

  test('holds until its notAfter, and not from then on', () => {
    const bundles = signed(hybrid);
    const until = (notAfter: Date) => policyOf([authorityOf('ci', [keysetOf('old', hybrid, notAfter)])]);
    expect(verdictOn(bundles, until(new Date(now.getTime() + 1))).ok).toBe(true);
    for (const notAfter of [now, new Date(now.getTime() - 1)]) {
      const verdict = verdictOn(bundles, until(notAfter));
      expectDenied(
        verdict,
        /notAfter was 2026-11-21T1[12]:\d\d:\d\d\.\d{3}Z; sign again with the keyset that follows/,
      );
      expect(verdict.authorities[0]?.keysets[0]?.code).toBe('expired');
    }
    expectDenied(
      verdictOn(bundles, until(new Date('2999-01-01')), { now: new Date(Number.NaN) }),
      /notAfter/,
    );
  });

  test('does not hold with a revoked key, whichever it is', () => {
    for (const key of hybrid) {
      const revokedKeys = new Set([key.publicKey.spkiSha256]);
      const verdict = verdictOn(signed(hybrid), policyOf([ci], { revokedKeys }));
      expectDenied(verdict, new RegExp(`${key.publicKey.spkiSha256.slice(0, 12)} is revoked`));
      expect(verdict.authorities[0]?.keysets[0]?.code).toBe('key-revoked');
      expect(codesOf(verdict).toSorted()).toEqual(['key-revoked', 'valid']);
    }
  });
});

describe('what a signature is about', () => {
  test('is exactly the digest that is asked for', () => {
    const verdict = verdictOn(signed(hybrid, { subject: otherImage }), policy);
    expectDenied(verdict, /it is about sha256:/);
    expect(codesOf(verdict)).toEqual(['wrong-digest', 'wrong-digest']);
  });

  test('may be a SHA-512 digest, which is not a SHA-256 digest of the same bytes', () => {
    const long = digestOf(Buffer.from('an image'), 'sha512');
    const bundles = signed(hybrid, { subject: long });
    expect(verdictOn(bundles, policy, { digest: long }).ok).toBe(true);
    expectDenied(verdictOn(bundles, policy), /it is about sha512:/);
  });

  test('is the repository that the image is asked for under', () => {
    for (const reference of [
      'registry.example/trading/other',
      'registry.example/trading',
      'other.example/trading/app',
    ]) {
      const bundles = signed(hybrid, { reference });
      const verdict = verdictOn(bundles, policy);
      expectDenied(verdict, new RegExp(`made for ${reference}, not for registry.example/trading/app`));
      expect(codesOf(verdict)).toEqual(['wrong-repository', 'wrong-repository']);
      expect(verdictOn(bundles, policyOf([ci], { bindReference: 'none' })).ok).toBe(true);
    }
  });

  test('is a signature: an attestation by the same keys is none', () => {
    const verdict = verdictOn(signed(hybrid, { predicateType: slsa, predicate: {} }), policy);
    expectDenied(verdict, /no valid signature/);
    expect(codesOf(verdict)).toEqual(['other-predicate', 'other-predicate']);
    expectDenied(
      verdictOn(
        signed(hybrid, { predicateType: slsa, predicate: {} }),
        policyOf([ci], { attestations: [{ predicateType: slsa, condition: undefined }] }),
      ),
      /no valid signature/,
    );
  });

  test('includes the annotations that the policy demands, each with its value', () => {
    const demanding = policyOf([ci], { annotations: { build: '7', toString: 'yes' } });
    const annotations = { build: '7', toString: 'yes', more: 'x' };
    expect(verdictOn(signed(hybrid, { annotations }), demanding).ok).toBe(true);
    for (const wrong of [{ ...annotations, build: '8' }, { build: '7' }, {}]) {
      const verdict = verdictOn(signed(hybrid, { annotations: wrong }), demanding);
      expectDenied(verdict, /it has no annotation (build=7|toString=yes)/);
      expect(codesOf(verdict)).toEqual(['wrong-annotations', 'wrong-annotations']);
    }
    // Attestations have conditions.
    const attestations = [{ predicateType: slsa, condition: undefined }];
    const bundles = [
      ...signed(hybrid, { annotations }),
      ...signed(hybrid, { predicateType: slsa, predicate: {} }),
    ];
    expect(verdictOn(bundles, { ...demanding, attestations }).ok).toBe(true);
  });

  test('is nothing when the payload is no statement, or its binding is malformed', () => {
    const text = payloadBy([ec]).toString();
    const broken = [
      '{}',
      text.replace('"v":1', '"v":2'),
      text.replace(/"trellis":\{.*\}\}/, '"trellis":null}'),
      text.replace('Statement/v1', 'Statement/v1.1'),
    ].map((payload) => found(bundleBytes(ec, Buffer.from(payload))));
    const lenient = policyOf([authorityOf('ci', [keysetOf('k', [ec])])], { bindReference: 'none' });
    const verdict = verdictOn(broken, lenient);
    expectDenied(verdict);
    expect(codesOf(verdict)).toEqual(broken.map(() => 'statement-invalid'));
    expect(verdictOn([found(bundleBytes(ec, Buffer.from(text)))], lenient).ok).toBe(true);
  });
});

describe('a signature by cosign', () => {
  const bundles = [ml, ec].map((key) => found(bundleBytes(key, cosignPayload())));

  test('passes only where the policy does not bind references', () => {
    expect(verdictOn(bundles, policyOf([ci], { bindReference: 'none' })).ok).toBe(true);
    const verdict = verdictOn(bundles, policy);
    expectDenied(verdict, /names neither signers nor repository.*bindReference: none/);
    expect(codesOf(verdict)).toEqual(['unbound', 'unbound']);
  });

  test('needs all keys of the keyset there, too', () => {
    expectDenied(
      verdictOn(bundles.slice(0, 1), policyOf([ci], { bindReference: 'none' })),
      /no valid signature of ECDSA/,
    );
  });
});

describe('authorities', () => {
  const second = authorityOf('release', [keysetOf('release-2026', [ml2, ec2])]);

  test('must all be satisfied', () => {
    const both = policyOf([ci, second]);
    expect(verdictOn([...signed(hybrid), ...signed([ml2, ec2])], both).ok).toBe(true);
    const verdict = verdictOn(signed(hybrid), both);
    expectDenied(verdict, /authority "release" is not satisfied: keyset "release-2026"/);
    expect(verdict.authorities.map(({ ok }) => ok)).toEqual([true, false]);
    expectDenied(verdictOn(signed([ml2, ec2]), both), /authority "ci" is not satisfied/);
  });

  test('count keysets toward their threshold, not signatures', () => {
    const keysets = [keysetOf('a', [ml]), keysetOf('b', [ec]), keysetOf('c', [ml2])];
    const need = (threshold: number) => policyOf([authorityOf('ci', keysets, { threshold })]);
    const a = signed([ml]);
    const b = signed([ec]);
    expect(verdictOn(a, need(1)).ok).toBe(true);
    expectDenied(
      verdictOn([...a, ...a, ...signed([ml])], need(2)),
      /needs 2 of 3 keysets: keyset "b".*keyset "c"/,
    );
    expect(verdictOn([...a, ...b], need(2)).ok).toBe(true);
    expectDenied(verdictOn([...a, ...b], need(3)), /needs 3 of 3 keysets: keyset "c"/);
    expect(reasonsOf(verdictOn([...a, ...b], need(2)))).toEqual([
      'authority "ci" is satisfied by keyset "a" and "b"',
    ]);
  });

  test('are no more satisfied by one that overlaps with an expired keyset than by that alone', () => {
    const rotating = policyOf([
      authorityOf('ci', [keysetOf('old', [ml, ec], now), keysetOf('new', [ml2, ec2])]),
    ]);
    expectDenied(verdictOn(signed(hybrid), rotating), /"old": its notAfter/);
    expect(verdictOn(signed([ml2, ec2]), rotating).ok).toBe(true);
  });
});

describe('revoked digests', () => {
  test('win over every signature', () => {
    const verdict = verdictOn(signed(hybrid), policyOf([ci], { revokedDigests: new Set([digest]) }));
    expectDenied(verdict, /the policy revokes sha256:\w{64}, whoever signed it/);
    expect(verdict.authorities).toMatchObject([{ code: 'digest-revoked', keysets: [] }]);
    expect(verdictOn(signed(hybrid), policyOf([ci], { revokedDigests: new Set([otherImage]) })).ok).toBe(
      true,
    );
  });

  test('win over attestations', () => {
    const attestations = [{ predicateType: slsa, condition: undefined }];
    const bundles = [...signed(hybrid), ...signed(hybrid, { predicateType: slsa, predicate: {} })];
    const revoked = verdictOn(bundles, policyOf([ci], { attestations, revokedDigests: new Set([digest]) }));
    expect(revoked.attestations).toMatchObject([{ ok: false, authorities: [{ code: 'digest-revoked' }] }]);
  });
});

describe('attestations', () => {
  const fromCi = {
    text: "predicate.by == 'ci'",
    holds: ({ predicate }: { predicate: unknown }) =>
      (predicate as { by?: string }).by === 'ci' ? (true as const) : 'predicate.by is something else',
  };
  const demanding = (changes: Partial<VerificationPolicy> = {}, authorities: readonly Authority[] = [ci]) =>
    policyOf(authorities, { attestations: [{ predicateType: slsa, condition: fromCi }], ...changes });
  const attested = (predicate: object, keys = hybrid) => signed(keys, { predicateType: slsa, predicate });

  test('must be there beside the signature, signed by the same keyset', () => {
    const verdict = verdictOn([...signed(hybrid), ...attested({ by: 'ci' })], demanding());
    expect(verdict.ok).toBe(true);
    expect(verdict.attestations).toMatchObject([
      {
        predicateType: slsa,
        condition: "predicate.by == 'ci'",
        ok: true,
        authorities: [{ name: 'ci', ok: true }],
      },
    ]);
    const without = verdictOn(signed(hybrid), demanding());
    expectDenied(without, /no attestation of this type/);
    expect(without.authorities[0]?.ok).toBe(true);
    expect(without.attestations[0]?.ok).toBe(false);
    expectDenied(
      verdictOn([...signed(hybrid), ...attested({ by: 'ci' }).slice(1)], demanding()),
      /has signed, but/,
    );
    expectDenied(verdictOn([...signed(hybrid), ...attested({ by: 'ci' }, [ml2, ec2])], demanding()));
  });

  test('that are missing are made by trellis attest', () => {
    const attesting = policyOf([ci], { attestations: [{ predicateType: slsa, condition: undefined }] });
    const verdict = verdictOn(signed(hybrid), attesting);
    expectDenied(
      verdict,
      /there is no attestation of this type by ML-DSA-65 key .*; trellis attest makes one/,
    );
    expect(reasonsOf(verdict).join()).not.toContain('sign with trellis sign');
  });

  test('must be signed by every authority', () => {
    const second = authorityOf('release', [keysetOf('r', [ml2])]);
    const bundles = [...signed(hybrid), ...signed([ml2]), ...attested({ by: 'ci' })];
    expectDenied(verdictOn(bundles, demanding({}, [ci, second])), /authority "release"/);
    expect(verdictOn([...bundles, ...attested({ by: 'ci' }, [ml2])], demanding({}, [ci, second])).ok).toBe(
      true,
    );
  });

  test('meet their condition in the bytes that all keys of the keyset signed', () => {
    const good = attested({ by: 'ci' });
    const bad = attested({ by: 'me' });
    const verdict = verdictOn([...signed(hybrid), ...bad], demanding());
    expectDenied(
      verdict,
      /it is signed, but the condition predicate\.by == 'ci' does not hold: predicate\.by is something else/,
    );
    expect(verdict.attestations[0]?.authorities[0]?.keysets[0]?.code).toBe('condition-false');
    // One algorithm for what is good, both for what is bad: the halves do not add up.
    expectDenied(verdictOn([...signed(hybrid), ...bad, ...good.slice(0, 1)], demanding()), /condition/);
    expectDenied(verdictOn([...signed(hybrid), ...good.slice(0, 1), ...bad], demanding()), /condition/);
    expectDenied(
      verdictOn([...signed(hybrid), ...good.slice(0, 1), ...bad.slice(1)], demanding()),
      /has signed, but/,
    );
    expect(verdictOn([...signed(hybrid), ...bad, ...good], demanding()).ok).toBe(true);
  });

  test.each([
    ['a text', () => 'no'],
    ['an empty text', () => ''],
    ['something true, but not true', () => 1],
    ['a promise', () => Promise.resolve(true)],
    ['nothing', () => undefined],
  ])('are denied when the condition returns %s', (_, holds) => {
    const condition = { text: 'x', holds: holds as unknown as () => true };
    const verdict = verdictOn(
      [...signed(hybrid), ...attested({})],
      policyOf([ci], { attestations: [{ predicateType: slsa, condition }] }),
    );
    expectDenied(verdict, /the condition x does not hold/);
  });

  test('are denied when the condition throws', () => {
    const condition = {
      text: 'x',
      holds: () => {
        throw new Error('no such member');
      },
    };
    expectDenied(
      verdictOn(
        [...signed(hybrid), ...attested({})],
        policyOf([ci], { attestations: [{ predicateType: slsa, condition }] }),
      ),
      /does not hold: no such member/,
    );
  });

  test('have no condition looked at before all have signed', () => {
    const holds = vi.fn(() => true as const);
    const wanting = policyOf([ci], {
      attestations: [{ predicateType: slsa, condition: { text: 'x', holds } }],
    });
    verdictOn(
      [...signed(hybrid), ...attested({ junk: 1 }).slice(1), ...attested({ junk: 2 }, [ml2])],
      wanting,
    );
    expect(holds).not.toHaveBeenCalled();
    verdictOn([...signed(hybrid), ...attested({ by: 'x' })], wanting);
    expect(holds).toHaveBeenCalledWith({ predicateType: slsa, predicate: { by: 'x' }, subject: digest });
  });

  test('are all needed when several are asked for', () => {
    const spdx = 'https://spdx.dev/Document';
    const both = demanding({
      attestations: [
        { predicateType: slsa, condition: undefined },
        { predicateType: spdx, condition: undefined },
      ],
    });
    const one = [...signed(hybrid), ...attested({})];
    expect(verdictOn(one, both).attestations.map(({ ok }) => ok)).toEqual([true, false]);
    expectDenied(verdictOn(one, both));
    expect(verdictOn([...one, ...signed(hybrid, { predicateType: spdx, predicate: {} })], both).ok).toBe(
      true,
    );
  });

  test('by cosign pass without binding', () => {
    const [algorithm, hex] = digest.split(':');
    const payload = Buffer.from(
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v0.1',
        subject: [{ name: 'registry.example/x', digest: { [String(algorithm)]: hex } }],
        predicateType: slsa,
        predicate: { by: 'ci' },
      }),
    );
    const bundles = [...signed(hybrid), ...hybrid.map((key) => found(bundleBytes(key, payload)))];
    expect(verdictOn(bundles, demanding({ bindReference: 'none' })).ok).toBe(true);
    expectDenied(verdictOn(bundles, demanding()), /names neither signers nor repository/);
  });
});

describe('keyless', () => {
  const keyless = keylessFor(certificateKey);
  const beside = policyOf([authorityOf('ci', [keysetOf('k', [ml])], { keyless })]);
  const alone = policyOf([authorityOf('ci', [], { keyless })]);
  const all = [ml, certificateKey];

  function signing(keys = all, payload = payloadBy(keys)) {
    return keys.map((key) =>
      key === certificateKey ? certificateBundle(key, payload) : found(bundleBytes(key, payload)),
    );
  }

  test('stands for itself', () => {
    const verdict = verdictOn(signing([certificateKey]), alone);
    expect(verdict.ok).toBe(true);
    expect(verdict.signatures[0]).toMatchObject({
      ok: true,
      spkiSha256: certificateKey.publicKey.spkiSha256,
      identity: { issuer: 'https://issuer.example', subject: 'ci@example.com' },
      reason: 'signed by ci@example.com (https://issuer.example)',
    });
    expectDenied(
      verdictOn([], alone),
      /keyset "keyless": there is no valid signature of identity ci@example.com/,
    );
    expectDenied(verdictOn(signed([certificateKey]), alone), /no key of the policy/);
  });

  test('signs the same payload as the keyset beside it', () => {
    const bundles = signing();
    expect(verdictOn(bundles, beside).ok).toBe(true);
    expectDenied(
      verdictOn(bundles.slice(0, 1), beside),
      /ML-DSA-65 key \w{12} has signed, but over the same payload.*identity ci@example\.com/,
    );
    expectDenied(
      verdictOn(bundles.slice(1), beside),
      /: there is no valid signature of ML-DSA-65 key \w{12} and identity ci@example\.com; sign/,
    );
    const codeOf = (found: typeof bundles) => verdictOn(found, beside).authorities[0]?.keysets[0]?.code;
    expect([codeOf(bundles), codeOf(bundles.slice(0, 1)), codeOf(bundles.slice(1))]).toEqual([
      'holds',
      'certificate-missing',
      'not-signed',
    ]);
    const [key] = signing();
    const [, certificate] = signing();
    expectDenied(
      verdictOn(
        [key, certificate].flatMap((each) => each ?? []),
        beside,
      ),
    );
    expectDenied(verdictOn(signed([ml]), beside));
  });

  test('must be named by the statement, with the key of the certificate', () => {
    const other = testKey('ECDSA-P256');
    const payload = payloadBy(all, { signers: [nameOf(ml), nameOf(other)] });
    const verdict = verdictOn(signing(all, payload), beside);
    expectDenied(verdict, /does not name the ECDSA-P256 key/);
    expect(codesOf(verdict)).toEqual(['valid', 'certificate-refused']);
    expectDenied(verdictOn(signing(all, payloadBy([ml])), beside));
    expectDenied(verdictOn(signing(all, payloadBy([ml, certificateKey, other])), beside));
  });

  test('needs no names where references are not bound', () => {
    const lenient = { ...beside, bindReference: 'none' } as const;
    expect(verdictOn(signing(all, cosignPayload()), lenient).ok).toBe(true);
    expectDenied(verdictOn(signing(all, cosignPayload()), beside), /names neither/);
  });

  test('is not a key of the keyset a second time', () => {
    const twice = keylessFor(ml);
    const lenient = policyOf([authorityOf('ci', [keysetOf('k', [ml])], { keyless: twice })], {
      bindReference: 'none',
    });
    const payload = cosignPayload();
    const verdict = verdictOn([found(bundleBytes(ml, payload)), certificateBundle(ml, payload)], lenient);
    expect(codesOf(verdict)).toEqual(['valid', 'valid']);
    expectDenied(verdict, /over the same payload there is no valid signature of identity/);
  });

  test('is refused with a revoked key', () => {
    const revokedKeys = new Set([certificateKey.publicKey.spkiSha256]);
    const verdict = verdictOn(signing(), { ...beside, revokedKeys });
    expectDenied(verdict, /is revoked/);
    expect(codesOf(verdict)).toEqual(['valid', 'key-revoked']);
  });

  test('is refused when the signature is over other bytes than those that are used', () => {
    const payload = payloadBy([certificateKey]);
    const bundle = certificateBundle(certificateKey, payload);
    if (bundle.kind !== 'bundle') throw new Error('a bundle');
    const other = { ...bundle, bundle: { ...bundle.bundle, payload: payloadBy([certificateKey]) } };
    expect(verdictOn([bundle], alone).ok).toBe(true);
    expectDenied(verdictOn([other], alone), /does not verify under the key of its certificate/);
  });

  test('is refused for the reason of its verifier, also when that throws', () => {
    const other = verdictOn(
      signing([certificateKey]),
      policyOf([authorityOf('ci', [], { keyless: keylessFor(ml) })]),
    );
    expectDenied(other, /identity ci@example.com does not accept it: the certificate is for somebody else/);
    const throwing = keylessFor(ml, {
      verify: () => {
        throw new Error('no log');
      },
    });
    expectDenied(
      verdictOn(signing([certificateKey]), policyOf([authorityOf('ci', [], { keyless: throwing })])),
      /no log/,
    );
  });

  test('is not quoted with what a terminal would act on', () => {
    const evil = keylessFor(certificateKey, {
      verify: () => ({ ok: false, reason: 'signed by \u001b[2Jme' }),
    });
    const verdict = verdictOn(
      signing([certificateKey]),
      policyOf([authorityOf('ci', [], { keyless: evil })]),
    );
    expectDenied(verdict, /signed by \\u\{1b\}\[2Jme/);
    expect(reasonsOf(verdict).join('')).not.toContain('\u001b');
  });

  test('of one authority is not that of another', () => {
    const stranger = testKey('ECDSA-P256');
    const two = policyOf([
      authorityOf('ci', [], { keyless }),
      authorityOf('release', [], { keyless: keylessFor(stranger) }),
    ]);
    const mine = certificateBundle(certificateKey, payloadBy([certificateKey]));
    const theirs = certificateBundle(stranger, payloadBy([stranger]));
    expect(verdictOn([mine, theirs], two).ok).toBe(true);
    expect(verdictOn([mine], two).authorities.map(({ ok }) => ok)).toEqual([true, false]);
    expect(verdictOn([theirs], two).authorities.map(({ ok }) => ok)).toEqual([false, true]);
    // Where nothing is bound all signatures are over one payload.
    const unbound = certificateBundle(certificateKey, cosignPayload());
    const [ok, notOk] = verdictOn([unbound], { ...two, bindReference: 'none' }).authorities;
    expect(ok).toMatchObject({ ok: true });
    expect(notOk?.keysets).toMatchObject([
      {
        ok: false,
        code: 'not-signed',
        reason: expect.stringMatching(/^there is no valid signature of identity/),
      },
    ]);
  });

  test('counts for nothing where the policy has no certificates', () => {
    const verdict = verdictOn(
      [certificateBundle(ml, payloadBy([ml]))],
      policyOf([authorityOf('ci', [keysetOf('k', [ml])])]),
    );
    expectDenied(verdict, /accepts no certificates of these signers/);
  });
});

describe('a report', () => {
  test('says what a bundle claims about its key, without believing it', () => {
    const payload = payloadBy(hybrid);
    const spki = ml2.publicKey.spkiSha256;
    const claimedBy = (payload: Buffer, hint: string) => {
      const [report] = verdictOn([found(bundleBytes(ec, payload, { hint }))], policy).signatures;
      return report?.claimed;
    };
    expect(claimedBy(payload, keyHint(ec.publicKey))).toEqual(nameOf(ec));
    expect(claimedBy(payload, keyHint(ml2.publicKey))).toEqual({ spkiSha256: spki });
    expect(claimedBy(cosignPayload(), keyHint(ml2.publicKey))).toEqual({ spkiSha256: spki });
    expect(claimedBy(payload, Buffer.alloc(31).toString('base64'))).toEqual({});
    expect(claimedBy(payload, '')).toEqual({});
    expect(verdictOn([certificateBundle(ec, payload)], policy).signatures[0]?.claimed).toEqual({});
  });
});

describe('limits', () => {
  test('stop the verification of signatures, and say so', () => {
    const junk = Array.from({ length: 6 }, () =>
      found(bundleBytes(ec, payloadBy(hybrid), { signature: Buffer.alloc(70, 1), hint: '' })),
    );
    const verdict = verdictOn([...junk, ...signed(hybrid)], policy, { maxChecks: 10 });
    expectDenied(verdict, /10 signatures were verified before it, which is the limit \(maxSignatureChecks\)/);
    expect(codesOf(verdict).filter((code) => code === 'over-limit')).toHaveLength(3);
    expect(verdictOn([...junk, ...signed(hybrid)], policy, { maxChecks: 14 }).ok).toBe(true);
  });

  test('count certificates, good or bad', () => {
    const verify = vi.fn(() => ({ ok: false as const, reason: 'no' }));
    const keyless = keylessFor(ml, { verify });
    const junk = Array.from({ length: 4 }, () => certificateBundle(ec, payloadBy([ec])));
    const verdict = verdictOn(junk, policyOf([authorityOf('ci', [], { keyless })]), { maxChecks: 3 });
    expectDenied(verdict, /maxSignatureChecks/);
    expect(verify).toHaveBeenCalledTimes(3);
    // One for the certificate, and none left for the signature.
    const good = certificateBundle(ec, payloadBy([ec]));
    const wanting = policyOf([authorityOf('ci', [], { keyless: keylessFor(ec) })]);
    expect(codesOf(verdictOn([good], wanting, { maxChecks: 1 }))).toEqual(['over-limit']);
    expect(verdictOn([good], wanting, { maxChecks: 2 }).ok).toBe(true);
  });

  test('keep the reason short, however much junk there is', () => {
    const junk = Array.from({ length: 50 }, (_, at) =>
      signed(hybrid, { reference: `registry.example/r${at}` }),
    ).flat();
    const [reason = ''] = reasonsOf(verdictOn(junk, policy));
    expect(reason).toMatch(
      /100 referrers of the image do not count: .*\(2 times\).*others: see trellis verify --json$/,
    );
    expect(reason.length).toBeLessThan(1500);
  });
});

test('a policy that cannot mean anything is refused', async () => {
  await failure(
    'ERR_VERIFICATION_POLICY_INVALID',
    () => verdictOn(signed(hybrid), policyOf([])),
    /no authority/,
  );
});
