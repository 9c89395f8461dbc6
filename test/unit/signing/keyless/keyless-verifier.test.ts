// What a keyless signature must be for it to count: evidence that is right, and each way of it being wrong, forged with
// real keys that the trusted root knows wherever an attacker or a careless authority could have them.

import { generateKeyPairSync, randomInt } from 'node:crypto';
import { initializeTLog } from '@sigstore/mock';
import { beforeAll, describe, expect, test } from 'vitest';
import { readOnly } from '../../../../src/crypto/der/read.ts';
import { tag } from '../../../../src/crypto/der/tags.ts';
import { explicit, octetString, oid, sequence, tlv, utf8String } from '../../../../src/crypto/der/write.ts';
import type { Bundle } from '../../../../src/signing/format/bundle.ts';
import {
  type KeylessVerifierOptions,
  keylessVerifier,
} from '../../../../src/signing/keyless/keyless-verifier.ts';
import {
  bundleEntry,
  forgeAuthority,
  forgeLeaf,
  issuer,
  oids,
  type RekorEntry,
  sha256,
  signPayload,
  subject,
  timestampAuthority,
  userNames,
  x509,
} from '../../../support/sigstore/forge.ts';
import type { TrustedRootJson } from '../../../support/sigstore.ts';
import {
  dsseBody,
  dsseV2Body,
  type EvidenceParts,
  intotoBody,
  payload,
  startWorld,
  type World,
} from './evidence.ts';

const minute = 60_000;
const hour = 60 * minute;
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);
const ahead = (milliseconds: number) => new Date(Date.now() + milliseconds);
const newKey = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve }).privateKey;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});

function judge(bundle: Bundle, options: Partial<KeylessVerifierOptions> = {}, now = new Date()) {
  return keylessVerifier({ issuer, subject, trustedRoot: world.trust(), ...options }).verify(bundle, now);
}

function expectRefused(bundle: Bundle, reason: RegExp, options: Partial<KeylessVerifierOptions> = {}): void {
  const verdict = judge(bundle, options);
  expect(verdict).toEqual({ ok: false, reason: expect.stringMatching(reason) });
}

/** A time-stamp of the authority of the trusted root. */
const stamped = async ({ signature }: EvidenceParts) => [await world.sigstore.timestamp(sha256(signature))];
const noEntries = async () => [];

const entryOf = async (parts: EvidenceParts, body = intotoBody): Promise<RekorEntry> =>
  world.log(body(parts));

describe('evidence that counts', () => {
  test('a log entry, which says when', async () => {
    const verdict = judge(await world.bundle());
    expect(verdict).toMatchObject({ ok: true, issuer, subject, publicKey: { algorithm: 'ECDSA-P256' } });
    if (verdict.ok) expect(verdict.times).toHaveLength(1);
  });

  test('entries of the types that cosign and sigstore-js make', async () => {
    const dsse = await world.bundle({
      entries: async (parts) => [bundleEntry(await entryOf(parts, dsseBody))],
    });
    expect(judge(dsse)).toMatchObject({ ok: true });
    const v2 = await world.bundle({
      entries: async (parts) => [bundleEntry(await entryOf(parts, dsseV2Body), { promise: false })],
      timestamps: stamped,
    });
    expect(judge(v2)).toMatchObject({ ok: true });
  });

  test('a time that the log did not sign is not passed on', async () => {
    const bundle = await world.bundle({
      entries: async (parts) => [
        { ...bundleEntry(await entryOf(parts, dsseV2Body), { promise: false }), integratedTime: '1' },
      ],
      timestamps: stamped,
    });
    const verdict = judge(bundle);
    expect(verdict).toMatchObject({ ok: true });
    if (verdict.ok) expect(verdict.times.map((time) => time.getTime() > Date.now() - hour)).toEqual([true]);
  });

  test('a time-stamp alone, where no log is demanded', async () => {
    const bundle = await world.bundle({ entries: noEntries, timestamps: stamped });
    expect(judge(bundle, { requireLog: false })).toMatchObject({ ok: true });
  });

  test('without a log of certificates, where the trusted root knows none', async () => {
    const bundle = await world.bundle({ leaf: { ctlog: undefined } as object });
    const trustedRoot = world.trust((root) => {
      root.ctlogs = [];
    });
    expect(judge(bundle, { trustedRoot })).toMatchObject({ ok: true });
  });

  test.each([
    ['an e-mail address', { names: [{ type: 'email', value: 'ci@example.com' }] }, 'ci@example.com'],
    ['a user name', { rawNames: userNames('ci!example.com') }, 'ci!example.com'],
  ] as const)('the subject may be %s', async (_name, leaf, name) => {
    expect(judge(await world.bundle({ leaf }), { subject: name })).toMatchObject({ ok: true, subject: name });
  });

  test('the issuer may stand in the old extension, alone or beside the same one', async () => {
    const old = await world.bundle({ leaf: { issuerV1: issuer, issuerV2: '' } });
    expect(judge(old)).toMatchObject({ ok: true, issuer });
    expect(judge(await world.bundle({ leaf: { issuerV1: issuer } }))).toMatchObject({ ok: true, issuer });
  });

  test('a P-384 key signs with its own hash', async () => {
    const key = newKey('P-384');
    const bundle = await world.bundle({ key, signature: signPayload(key, payload, 'sha384') });
    expect(judge(bundle)).toMatchObject({ ok: true, publicKey: { algorithm: 'ECDSA-P384' } });
    expectRefused(await world.bundle({ key }), /signature verification failed/);
  });

  test('long after the certificate has run out, and within the clocks’ difference before', async () => {
    const bundle = await world.bundle();
    expect(judge(bundle, {}, ahead(10 * 365 * 24 * hour))).toMatchObject({ ok: true });
    expect(judge(bundle, {}, ago(4 * minute))).toMatchObject({ ok: true });
  });
});

describe('the identity', () => {
  test('is the one that was asked for, exactly', async () => {
    const bundle = await world.bundle();
    expectRefused(bundle, /signed by .*, not by subject/, { subject: `${subject}2` });
    expectRefused(bundle, /signed by/, { subject: subject.slice(0, -1) });
    expectRefused(bundle, /signed by/, { subject: subject.toUpperCase() });
    expectRefused(bundle, /for an identity of .*, not issuer/, { issuer: `${issuer}/` });
    // The dots of an exact text are no wildcards.
    expectRefused(await world.bundle({ leaf: { issuerV2: issuer.replace('.', 'x') } }), /identity of/);
  });

  test('matches all of an expression, not a part', async () => {
    const bundle = await world.bundle();
    const regexp = 'https://ci\\.example/trading/[^/]+/\\.pipeline@refs/heads/main';
    expect(judge(bundle, { subject: { regexp } })).toMatchObject({ ok: true });
    expect(judge(bundle, { subject: { regexp: '.*' }, issuer: { regexp: '.*' } })).toMatchObject({
      ok: true,
    });
    for (const part of [
      'trading',
      regexp.slice(0, -4),
      `${regexp.slice(5)}`,
      `${regexp.slice(0, -4)}|nothing`,
    ])
      expectRefused(bundle, /signed by/, { subject: { regexp: part } });
    expectRefused(bundle, /identity of/, { issuer: { regexp: 'token' } });
    const evil = await world.bundle({
      leaf: { names: [{ type: 'url', value: `https://evil.example/?${subject}` }] },
    });
    expectRefused(evil, /signed by/, { subject: { regexp } });
  });

  test.each([
    ['nothing', ''],
    ['an empty expression', { regexp: '' }],
    ['no expression', { regexp: '(' }],
    ['something that only becomes one when it is wrapped', { regexp: 'a)|(b' }],
    ['something of another syntax', { regexp: '(?=a)' }],
    ['an expression that would be huge', { regexp: 'a{1000}'.repeat(12) }],
    ['a long text', 'a'.repeat(1025)],
  ])('cannot be %s', (_name, pattern) => {
    const trustedRoot = world.trust();
    for (const options of [
      { issuer: pattern, subject },
      { issuer, subject: pattern },
    ])
      expect(() => keylessVerifier({ ...options, trustedRoot })).toThrow(
        expect.objectContaining({ code: 'ERR_VERIFICATION_POLICY_INVALID' }),
      );
  });
});

describe('a certificate is refused', () => {
  const cases: [string, () => Promise<Parameters<World['bundle']>[0]>, RegExp][] = [
    [
      'of an authority that the trusted root does not know',
      async () => ({ leaf: { authority: await forgeAuthority({ name: 'CN=intermediate' }) } }),
      /certificate chain/,
    ],
    [
      'that was not valid when it was logged',
      async () => ({ leaf: { notBefore: ago(hour), notAfter: ago(minute) } }),
      /not valid or expired/,
    ],
    [
      'that was not valid yet when it was logged',
      async () => ({ leaf: { notBefore: ahead(minute) } }),
      /not valid or expired/,
    ],
    ['that is for servers', async () => ({ leaf: { purposes: [oids.serverAuth] } }), /not for signing code/],
    ['that is for nothing in particular', async () => ({ leaf: { purposes: [] } }), /not for signing code/],
    ['whose key is not for signatures', async () => ({ leaf: { usages: 4 } }), /not for digital signatures/],
    ['of a certificate authority', async () => ({ leaf: { ca: true } }), /certificate authority/],
    [
      'with a critical extension nobody knows',
      async () => ({ leaf: { extensions: [extension('1.2.3.4', true)] } }),
      /critical extension .*1\.2\.3\.4/,
    ],
    [
      'with the same extension twice',
      async () => ({ leaf: { extensions: [extension(oids.issuerV2, false, utf8String(issuer))] } }),
      /appears twice/,
    ],
    ['without a subject', async () => ({ leaf: { rawNames: sequence() } }), /cannot be read|no subject/],
    [
      'with two subjects, the right one first',
      async () => ({
        leaf: {
          names: [
            { type: 'url', value: subject },
            { type: 'email', value: 'x@example.com' },
          ],
        },
      }),
      /more than one subject/,
    ],
    [
      'with two subjects, the right one last',
      async () => ({
        leaf: {
          names: [
            { type: 'email', value: 'x@example.com' },
            { type: 'url', value: subject },
          ],
        },
      }),
      /more than one subject/,
    ],
    [
      'whose subject is a host',
      async () => ({ leaf: { names: [{ type: 'dns', value: 'ci.example' }] } }),
      /neither URI, e-mail address nor user name/,
    ],
    [
      'whose subject is another kind of name',
      async () => ({ leaf: { rawNames: sequence(tlv(0xa0, oid('1.2.3'), explicit(0, utf8String('x')))) } }),
      /unknown type 1\.2\.3/,
    ],
    [
      'whose subject only reads like the right one without its high bits',
      async () => ({ leaf: { rawNames: sequence(tlv(0x81, highBits('ci@example.com'))) } }),
      /its subject is not printable ASCII/,
    ],
    [
      'whose subject goes on after a NUL',
      async () => ({ leaf: { rawNames: sequence(tlv(0x86, Buffer.from(`${subject}\0.evil`))) } }),
      /printable ASCII/,
    ],
    [
      'whose issuer only reads like the right one without its high bits',
      async () => ({ leaf: { issuerV2: tlv(0x0c, highBits(issuer)) } }),
      /its issuer is not printable ASCII/,
    ],
    ['without an issuer', async () => ({ leaf: { issuerV2: '' } }), /no OpenID Connect issuer/],
    [
      'whose two issuers differ',
      async () => ({ leaf: { issuerV1: 'https://evil.example' } }),
      /two different issuers/,
    ],
    [
      'whose two issuers differ the other way round',
      async () => ({ leaf: { issuerV1: issuer, issuerV2: 'https://evil.example' } }),
      /two different issuers/,
    ],
    [
      'whose issuer is of another type of text',
      async () => ({ leaf: { issuerV2: octetString(Buffer.from(issuer)) } }),
      /issuer extension: expected tag/,
    ],
    [
      'that no log of certificates has',
      async () => ({ leaf: { ctlog: undefined } as object }),
      /SCTs, got 0/,
    ],
    [
      'that another log of certificates has',
      async () => ({ leaf: { ctlog: (await startWorld()).sigstore.ctlog } }),
      /SCT verification failed/,
    ],
    [
      'with the log’s word for another certificate',
      async () => {
        const key = newKey();
        const other = await forgeLeaf({ authority: world.intermediate, key, ctlog: world.sigstore.ctlog });
        const [sct] = extensionsOf(other, oids.sct);
        return { leaf: { ctlog: undefined, extensions: [sct] } as object };
      },
      /SCT verification failed/,
    ],
  ];

  test.each(cases)('%s', async (_name, changes, reason) => {
    expectRefused(await world.bundle(await changes()), reason, { subject: { regexp: '.*' } });
  });

  test('with something after its end', async () => {
    const key = newKey();
    const leaf = await forgeLeaf({ authority: world.intermediate, key, ctlog: world.sigstore.ctlog });
    expectRefused(
      await world.bundle({ key, certificate: Buffer.concat([leaf, Uint8Array.of(0)]) }),
      /unexpected bytes/,
    );
    const more = sequence(
      readOnly(leaf, tag.sequence, 'certificate').content,
      octetString(Buffer.from('more')),
    );
    expectRefused(await world.bundle({ key, certificate: more }), /unexpected bytes/);
    expectRefused(await world.bundle({ key, certificate: Buffer.alloc(16 * 1024 + 1) }), /longer than/);
    expectRefused(await world.bundle({ key, certificate: Buffer.from('no certificate') }), /cannot be read/);
  });

  test('whose outer signature algorithm, which nothing signs, is another than the inner one', async () => {
    const key = newKey();
    const leaf = await forgeLeaf({ authority: world.intermediate, key, ctlog: world.sigstore.ctlog });
    const ecdsaSha256 = oid('1.2.840.10045.4.3.2');
    const outer = leaf.lastIndexOf(ecdsaSha256);
    oid('1.2.840.10045.4.3.3').copy(leaf, outer);
    expectRefused(await world.bundle({ key, certificate: leaf }), /two signature algorithms differ/);
  });

  test('with a key of an algorithm that Trellis does not have', async () => {
    expectRefused(await world.bundle({ key: newKey('P-521') }), /unknown public key algorithm/);
  });
});

describe('the authorities of the trusted root', () => {
  test.each([
    ['an intermediate that had run out', { notBefore: ago(3 * hour), notAfter: ago(hour) }, {}],
    ['an intermediate that was not valid yet', { notBefore: ahead(hour) }, {}],
    ['an intermediate that is no authority', { ca: false }, {}],
    ['a root that had run out', {}, { notBefore: ago(3 * hour), notAfter: ago(hour) }],
    ['a root that allows no intermediate', {}, { pathLength: 0 }],
  ])('do not vouch through %s', async (_name, below, above) => {
    const root = await forgeAuthority({ name: 'CN=root', ...above });
    const authority = await forgeAuthority({ name: 'CN=intermediate', issuer: root, ...below });
    const bundle = await world.bundle({ leaf: { authority } });
    const trustedRoot = world.trust(undefined, [authority, root]);
    expectRefused(bundle, /certificate chain/, { trustedRoot });
  });

  test('do not vouch outside the time that the trusted root gives them', async () => {
    const bundle = await world.bundle();
    for (const validFor of [
      { start: ago(2 * hour).toISOString(), end: ago(hour).toISOString() },
      { start: ahead(hour).toISOString() },
    ]) {
      const trustedRoot = world.trust((root) => {
        for (const authority of root.certificateAuthorities) authority.validFor = validFor;
      });
      expectRefused(bundle, /certificate chain/, { trustedRoot });
    }
  });

  test('a log of certificates does not vouch with a key that was retired', async () => {
    const trustedRoot = world.trust((root) => retire(root.ctlogs));
    expectRefused(await world.bundle(), /SCT verification failed/, { trustedRoot });
  });
});

describe('a log entry does not count', () => {
  const oneEntry = (change: (entry: Record<string, unknown>) => void) => async (parts: EvidenceParts) => {
    const entry = bundleEntry(await entryOf(parts));
    change(entry);
    return [entry];
  };
  const other = Buffer.from('other');

  test('when there is none, whatever the time-stamps say', async () => {
    expectRefused(await world.bundle({ entries: noEntries, timestamps: stamped }), /expected 1 tlog entries/);
  });

  test.each([
    [
      'of another signature',
      (parts: EvidenceParts) => intotoBody({ ...parts, signature: signPayload(newKey(), payload) }),
      /signature mismatch/,
    ],
    [
      'of another payload',
      (parts: EvidenceParts) => intotoBody({ ...parts, payload: other }),
      /payload hash mismatch/,
    ],
    [
      'of another signature, of type dsse',
      (parts: EvidenceParts) => dsseBody({ ...parts, signature: signPayload(newKey(), payload) }),
      /signature mismatch/,
    ],
    ['of a type nobody knows', () => ({ apiVersion: '0.0.1', kind: 'helm', spec: {} }), /unsupported kind/],
    ['without content', () => ({ apiVersion: '0.0.2', kind: 'intoto' }), /cannot be verified/],
  ])('%s', async (_name, body, reason) => {
    const bundle = await world.bundle({
      entries: async (parts) => [bundleEntry(await world.log(body(parts)))],
    });
    expectRefused(bundle, reason);
  });

  test.each([
    ['intoto', intotoBody],
    ['dsse', dsseBody],
  ])('of the same signature under another key, of type %s', async (_name, body) => {
    const stranger = await forgeLeaf({ authority: world.intermediate, key: newKey() });
    const bundle = await world.bundle({
      entries: async (parts) => [bundleEntry(await world.log(body({ ...parts, certificate: stranger })))],
    });
    expectRefused(bundle, /for another key than the bundle's certificate/);
  });

  test('of the same signature under another key, of Rekor v2', async () => {
    const stranger = await forgeLeaf({ authority: world.intermediate, key: newKey() });
    const bundle = await world.bundle({
      entries: async (parts) => [
        bundleEntry(await world.log(dsseV2Body({ ...parts, certificate: stranger })), { promise: false }),
      ],
      timestamps: stamped,
    });
    expectRefused(bundle, /for another key than the bundle's certificate/);
  });

  test.each([
    [
      'whose time was changed',
      'integratedTime',
      String(Math.floor(Date.now() / 1000) + 60),
      /inclusion promise/,
    ],
    ['whose index was changed', 'logIndex', String(randomInt(10_000_001, 20_000_000)), /inclusion promise/],
    [
      'of a log that the trusted root does not know',
      'logId',
      { keyId: sha256(other).toString('base64') },
      /inclusion/,
    ],
    ['without its proof', 'inclusionProof', undefined, /invalid bundle/],
    [
      'whose promise is somebody else’s',
      'inclusionPromise',
      { signedEntryTimestamp: signPayload(newKey(), other).toString('base64') },
      /inclusion promise/,
    ],
  ])('%s', async (_name, member, value, reason) => {
    const bundle = await world.bundle({
      entries: oneEntry((entry) => {
        if (value === undefined) delete entry[member];
        else entry[member] = value;
      }),
    });
    expectRefused(bundle, reason);
  });

  test('whose proof is that of another entry', async () => {
    const stranger = bundleEntry(await world.log({ kind: 'other' }));
    const bundle = await world.bundle({
      entries: oneEntry((entry) => {
        entry['inclusionProof'] = stranger['inclusionProof'];
      }),
    });
    expectRefused(bundle, /root hash does not match/);
  });

  test('whose checkpoint another log signed', async () => {
    const stranger = await initializeTLog(
      world.sigstore.url,
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    );
    const bundle = await world.bundle({
      entries: async (parts) => {
        const [entry] = Object.values(await stranger.log(intotoBody(parts))) as unknown as RekorEntry[];
        if (entry === undefined) throw new Error('no entry');
        const ours = bundleEntry(await entryOf(parts));
        return [{ ...ours, inclusionProof: bundleEntry(entry)['inclusionProof'] }];
      },
    });
    expectRefused(bundle, /checkpoint signature/);
  });

  test('twice', async () => {
    const bundle = await world.bundle({
      entries: async (parts) => {
        const entry = bundleEntry(await entryOf(parts));
        return [entry, entry];
      },
    });
    expectRefused(bundle, /duplicate/);
  });

  test('beside one that is right, when it is wrong', async () => {
    const bundle = await world.bundle({
      entries: async (parts) => [
        bundleEntry(await entryOf(parts)),
        bundleEntry(await world.log(intotoBody({ ...parts, payload: other })), { promise: false }),
      ],
    });
    expectRefused(bundle, /payload hash mismatch/);
  });

  test('of a log whose key was retired before', async () => {
    const trustedRoot = world.trust((root) => retire(root.tlogs));
    expectRefused(await world.bundle(), /inclusion promise/, { trustedRoot });
  });

  test('of a log whose key was retired before, when the log says no time and a time-stamp does', async () => {
    const bundle = await world.bundle({
      entries: async (parts) => [bundleEntry(await entryOf(parts, dsseV2Body), { promise: false })],
      timestamps: stamped,
    });
    const retired = world.trust((root) => retire(root.tlogs));
    expectRefused(bundle, /log's key was not in use/, { trustedRoot: retired });
    const future = world.trust((root) => {
      for (const { publicKey } of root.tlogs) publicKey.validFor = { start: ahead(hour).toISOString() };
    });
    expectRefused(bundle, /log's key was not in use/, { trustedRoot: future });
  });

  test('as a proof of the time, when the log signed none', async () => {
    const bundle = await world.bundle({
      entries: async (parts) => {
        const { integratedTime, ...entry } = bundleEntry(await entryOf(parts));
        expect(integratedTime).toBeDefined();
        const { inclusionPromise, ...unsigned } = { ...entry } as Record<string, unknown>;
        expect(inclusionPromise).toBeDefined();
        return [{ ...unsigned, integratedTime }];
      },
    });
    expectRefused(bundle, /expected 1 timestamps, got 0/);
  });
});

describe('a time-stamp does not count', () => {
  const only = (timestamps: (parts: EvidenceParts) => Promise<readonly Buffer[]>) =>
    world.bundle({ entries: noEntries, timestamps });
  const withoutLog = { requireLog: false };

  test('when there is none', async () => {
    expectRefused(await world.bundle({ entries: noEntries }), /expected 1 timestamps, got 0/, withoutLog);
  });

  test('of another signature', async () => {
    const bundle = await only(async () => [await world.sigstore.timestamp(sha256(Buffer.from('other')))]);
    expectRefused(bundle, /timestamp could not be verified/, withoutLog);
  });

  test('of an authority that the trusted root does not know', async () => {
    const stranger = await timestampAuthority();
    const bundle = await only(async ({ signature }) => [await stranger.timestamp(sha256(signature))]);
    expectRefused(bundle, /timestamp could not be verified/, withoutLog);
  });

  test('of an authority at a time when the trusted root did not give it its word', async () => {
    const bundle = await only(stamped);
    const trustedRoot = world.trust((root) => {
      for (const authority of root.timestampAuthorities)
        authority.validFor = { start: ago(2 * hour).toISOString(), end: ago(hour).toISOString() };
    });
    expectRefused(bundle, /timestamp could not be verified/, { ...withoutLog, trustedRoot });
  });

  test('of an authority whose certificate was not valid then', async () => {
    const early = await timestampAuthority(ago(hour));
    const key = newKey();
    const bundle = await world.bundle({
      key,
      leaf: { notBefore: ago(2 * hour) },
      entries: noEntries,
      timestamps: async ({ signature }) => [await early.timestamp(sha256(signature))],
    });
    const trustedRoot = world.trust((root) => trustTimestamps(root, early.chain, ago(3 * hour)));
    expectRefused(bundle, /timestamp could not be verified/, { ...withoutLog, trustedRoot });
  });

  test('of a time when the signing certificate was not valid, whatever the log says', async () => {
    const late = await timestampAuthority(ahead(3 * minute));
    const bundle = await world.bundle({
      leaf: { notAfter: ahead(minute) },
      timestamps: async ({ signature }) => [await late.timestamp(sha256(signature))],
    });
    const trustedRoot = world.trust((root) => trustTimestamps(root, late.chain, ago(hour)));
    expectRefused(bundle, /not valid or expired/, { trustedRoot });
  });

  test('of the future', async () => {
    const late = await timestampAuthority(ahead(6 * minute));
    const bundle = await only(async ({ signature }) => [await late.timestamp(sha256(signature))]);
    const trustedRoot = world.trust((root) => trustTimestamps(root, late.chain, ago(hour)));
    expectRefused(bundle, /in the future/, { ...withoutLog, trustedRoot });
    expect(judge(bundle, { ...withoutLog, trustedRoot }, ahead(2 * minute))).toMatchObject({ ok: true });
  });

  test('twice, with something after its end, or when it was not granted', async () => {
    const twice = await only(async (parts) => {
      const [token] = await stamped(parts);
      return token === undefined ? [] : [token, token];
    });
    expectRefused(twice, /duplicate timestamp/, withoutLog);
    const longer = await only(async (parts) =>
      (await stamped(parts)).map((token) => Buffer.concat([token, Uint8Array.of(0)])),
    );
    expectRefused(longer, /unexpected bytes/, withoutLog);
    const rejected = await only(async (parts) => (await stamped(parts)).map((token) => withStatus(token, 2)));
    expectRefused(rejected, /not granted \(status 2\)/, withoutLog);
  });
});

describe('a bundle does not count', () => {
  test('whose signature is somebody else’s, or whose payload was changed', async () => {
    expectRefused(
      await world.bundle({ signature: signPayload(newKey(), payload) }),
      /signature verification/,
    );
    const key = newKey();
    const signature = signPayload(key, Buffer.from('what was really signed'));
    expectRefused(await world.bundle({ key, signature }), /signature verification/);
  });

  test('that was signed with a key', async () => {
    const bundle: Bundle = { ...(await world.bundle()), material: { kind: 'key', hint: '' } };
    expectRefused(bundle, /signed with a key, not with a certificate/);
  });

  test('with no certificate, or with several', async () => {
    const bundle = await world.bundle();
    const [leaf = Buffer.alloc(0)] = bundle.material.kind === 'certificate' ? bundle.material.chain : [];
    for (const chain of [[], [leaf, world.intermediate.certificate], [leaf, leaf]])
      expectRefused({ ...bundle, material: { kind: 'certificate', chain } }, /exactly one belongs/);
  });

  test('that another parser reads differently', async () => {
    const bundle = await world.bundle();
    const stranger = await world.bundle();
    expectRefused({ ...bundle, payload: Buffer.from('{}') }, /two parsers/);
    expectRefused({ ...bundle, signature: stranger.signature }, /two parsers/);
    expectRefused({ ...bundle, material: stranger.material }, /two parsers/);
    expectRefused({ ...bundle, json: stranger.json }, /two parsers/);
  });

  test('that makes the library throw what it does not mean to', async () => {
    const bundle = await world.bundle();
    for (const json of [null, undefined, 1, {}, { mediaType: 1 }, { dsseEnvelope: null }])
      expect(judge({ ...bundle, json })).toMatchObject({ ok: false });
  });
});

describe('the trusted root', () => {
  const options = { issuer, subject };

  test.each([
    ['certificate authorities', true, (root: TrustedRootJson) => clear(root.certificateAuthorities)],
    ['logs, where one is demanded', true, (root: TrustedRootJson) => clear(root.tlogs)],
    [
      'anything that tells the time',
      false,
      (root: TrustedRootJson) => {
        clear(root.tlogs);
        clear(root.timestampAuthorities);
      },
    ],
  ])('must name %s', (_name, requireLog, change) => {
    const trustedRoot = world.trust(change);
    expect(() => keylessVerifier({ ...options, requireLog, trustedRoot })).toThrow(
      expect.objectContaining({ code: 'ERR_TRUSTED_ROOT_INVALID', message: expect.stringMatching(/cosign/) }),
    );
  });

  test('need not name what is not needed', () => {
    const withoutLogs = world.trust((root) => clear(root.tlogs));
    expect(keylessVerifier({ ...options, requireLog: false, trustedRoot: withoutLogs }).description).toBe(
      `subject ${subject}, issuer ${issuer}`,
    );
  });
});

function clear(list: unknown[]): void {
  list.length = 0;
}

function retire(logs: TrustedRootJson['tlogs']): void {
  for (const { publicKey } of logs)
    publicKey.validFor = { start: ago(2 * hour).toISOString(), end: ago(hour).toISOString() };
}

function trustTimestamps(root: TrustedRootJson, chain: readonly Buffer[], start: Date): void {
  for (const authority of root.timestampAuthorities) {
    authority.certChain = { certificates: chain.map((der) => ({ rawBytes: der.toString('base64') })) };
    authority.validFor = { start: start.toISOString() };
  }
}

/** Text that reads like the given one to whoever takes seven bits of each octet. */
function highBits(text: string): Buffer {
  return Buffer.from(text).map((octet) => octet | 0x80) as Buffer;
}

function extensionsOf(certificate: Buffer, id: string) {
  return new x509.X509Certificate(certificate).extensions.filter(({ type }) => type === id);
}

/** PKIStatusInfo comes first in the response, and holds the status alone. */
function withStatus(response: Buffer, status: number): Buffer {
  const granted = Buffer.from('3003020100', 'hex');
  const at = response.indexOf(granted);
  expect(at).toBe(4);
  const changed = Buffer.from(response);
  changed[at + granted.length - 1] = status;
  return changed;
}

function extension(id: string, critical: boolean, value: Buffer = octetString(Buffer.from('x'))) {
  return new x509.Extension(id, critical, new Uint8Array(value));
}
