// Keyless signing against the mocks of Sigstore's services, judged by our own verifier and by sigstore-js.

import { randomBytes } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } from '@sigstore/sign';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseBundle } from '../../../../src/signing/format/bundle.ts';
import { payloadType } from '../../../../src/signing/format/dsse.ts';
import { readIdentityToken } from '../../../../src/signing/keyless/identity-token.ts';
import { type KeylessSignerOptions, keylessSigner } from '../../../../src/signing/keyless/keyless-signer.ts';
import { keylessVerifier } from '../../../../src/signing/keyless/keyless-verifier.ts';
import { parseTrustedRoot } from '../../../../src/signing/keyless/trusted-root.ts';
import { issuer, subject } from '../../../support/sigstore/forge.ts';
import { identityToken, paths, startSigstore, type TestSigstore } from '../../../support/sigstore.ts';

let sigstore: TestSigstore;
beforeAll(async () => {
  sigstore = await startSigstore();
});

const payload = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');

function options(changes: Partial<KeylessSignerOptions> = {}): KeylessSignerOptions {
  return {
    identityToken: async () => token(identityToken()),
    fulcioUrl: sigstore.url,
    rekorUrl: sigstore.url,
    now: () => new Date(),
    random: randomBytes,
    transport: { sleep: async () => {} },
    ...changes,
  };
}

function token(text: string) {
  return readIdentityToken(text, { audience: 'sigstore', now: new Date(), source: 'a test' });
}

function verifier(requireLog = true) {
  return keylessVerifier({
    issuer,
    subject,
    trustedRoot: parseTrustedRoot(sigstore.trustedRoot()),
    requireLog,
  });
}

async function failure(changes: Partial<KeylessSignerOptions>): Promise<{ code: string; message: string }> {
  const error = await keylessSigner(options(changes))
    .bundle(payload)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(Error);
  return error as { code: string; message: string };
}

describe('a keyless signature', () => {
  test('with a log entry is accepted by our verifier and by sigstore-js', async () => {
    const signer = keylessSigner(options());
    const bytes = await signer.bundle(payload);
    const bundle = parseBundle(bytes);
    expect(bundle.payload).toEqual(payload);
    const verdict = verifier().verify(bundle, new Date());
    expect(verdict).toMatchObject({ ok: true, issuer, subject });
    if (verdict.ok) expect(verdict.publicKey.spkiSha256).toBe(signer.publicKey.spkiSha256);
    const trust = parseTrustedRoot(sigstore.trustedRoot()).material;
    const entity = toSignedEntity(bundleFromJSON(JSON.parse(bytes.toString())));
    expect(new Verifier(trust).verify(entity).identity?.subjectAlternativeName).toBe(subject);
  });

  test('may have a time-stamp beside the entry, or in its place', async () => {
    const both = parseBundle(await keylessSigner(options({ tsaUrl: sigstore.tsaUrl })).bundle(payload));
    const times = verifier().verify(both, new Date());
    expect(times.ok && times.times).toHaveLength(2);
    const only = parseBundle(
      await keylessSigner(options({ rekorUrl: undefined, tsaUrl: sigstore.tsaUrl })).bundle(payload),
    );
    expect(only.hasTlogEntries).toBe(false);
    expect(verifier().verify(only, new Date())).toMatchObject({ ok: false });
    expect(verifier(false).verify(only, new Date())).toMatchObject({ ok: true });
  });

  test('names its key before it is made, and shares one certificate among payloads', async () => {
    const signer = keylessSigner(options());
    const before = sigstore.requests.length;
    expect(signer.publicKey.algorithm).toBe('ECDSA-P256');
    expect(sigstore.requests).toHaveLength(before);
    await Promise.all([signer.bundle(payload), signer.bundle(Buffer.from('other'))]);
    await signer.bundle(Buffer.from('third'));
    const certificates = sigstore.requests.slice(before).filter((line) => line === `POST ${paths.fulcio}`);
    expect(certificates).toHaveLength(1);
  });

  test('asks for a new certificate, for the same key, when the old one is about to run out', async () => {
    let now = new Date();
    const signer = keylessSigner(options({ now: () => now }));
    await signer.bundle(payload);
    now = new Date(now.getTime() + 9 * 60_000 + 1_000);
    const before = sigstore.requests.length;
    const [bytes] = await Promise.all([signer.bundle(payload), signer.bundle(Buffer.from('other'))]);
    const bundle = parseBundle(bytes);
    expect(sigstore.requests.slice(before).filter((line) => line === `POST ${paths.fulcio}`)).toHaveLength(1);
    expect(verifier().verify(bundle, new Date())).toMatchObject({
      ok: true,
      publicKey: { spkiSha256: signer.publicKey.spkiSha256 },
    });
  });

  test('asks again after a failure', async () => {
    let works = false;
    const signer = keylessSigner(
      options({
        identityToken: async () => {
          if (!works) throw new Error('no token yet');
          return token(identityToken());
        },
      }),
    );
    await expect(signer.bundle(payload)).rejects.toThrow('no token yet');
    works = true;
    expect(verifier().verify(parseBundle(await signer.bundle(payload)), new Date())).toMatchObject({
      ok: true,
    });
  });

  test('made by sigstore-js is accepted', async () => {
    const builder = new DSSEBundleBuilder({
      signer: new FulcioSigner({
        fulcioBaseURL: sigstore.url,
        identityProvider: { getToken: async () => identityToken() },
      }),
      witnesses: [
        new RekorWitness({ rekorBaseURL: sigstore.url, entryType: 'dsse' }),
        new TSAWitness({ tsaBaseURL: sigstore.tsaUrl }),
      ],
    });
    const made = await builder.create({ data: payload, type: payloadType });
    const { bundleToJSON } = await import('@sigstore/bundle');
    const bundle = parseBundle(Buffer.from(JSON.stringify(bundleToJSON(made))));
    expect(verifier().verify(bundle, new Date())).toMatchObject({ ok: true, subject });
  });
});

describe('keyless signing is refused', () => {
  test('without anything that would prove the time, or with an address that is not safe', () => {
    expect(() => keylessSigner(options({ rekorUrl: undefined }))).toThrow(/transparency log or a time-stamp/);
    for (const changes of [
      { fulcioUrl: 'http://fulcio.example' },
      { rekorUrl: 'http://rekor.example' },
      { tsaUrl: 'http://tsa.example' },
    ]) {
      expect(() => keylessSigner(options(changes))).toThrow(
        expect.objectContaining({ code: 'ERR_SIGSTORE_URL_INVALID' }),
      );
    }
  });

  test('when Fulcio answers with a certificate for another key', async () => {
    const other = await keylessSigner(options()).bundle(payload);
    const { material } = parseBundle(other);
    const [leaf] = material.kind === 'certificate' ? material.chain : [];
    const pem = `-----BEGIN CERTIFICATE-----\n${leaf?.toString('base64')}\n-----END CERTIFICATE-----\n`;
    const answer = { signedCertificateEmbeddedSct: { chain: { certificates: [pem] } } };
    sigstore.instead(paths.fulcio, (_body, _request, response) => response.end(JSON.stringify(answer)));
    const error = await failure({});
    sigstore.instead(paths.fulcio, undefined);
    expect(error.code).toBe('ERR_SIGSTORE_SERVICE');
    expect(error.message).toMatch(/another key/);
  });

  test.each([
    ['no certificate', '{}'],
    ['no PEM', '{"signedCertificateEmbeddedSct":{"chain":{"certificates":["hello"]}}}'],
    ['no JSON', 'hello'],
    ['a list', '[]'],
  ])('when Fulcio answers with %s', async (_name, answer) => {
    sigstore.instead(paths.fulcio, (_body, _request, response) => response.end(answer));
    const error = await failure({});
    sigstore.instead(paths.fulcio, undefined);
    expect(error.code).toBe('ERR_SIGSTORE_SERVICE');
  });

  test('when Rekor kept an entry with somebody else’s certificate', async () => {
    const other = JSON.parse((await keylessSigner(options()).bundle(payload)).toString());
    const [entry] = other.verificationMaterial.tlogEntries;
    const body = JSON.parse(Buffer.from(entry.canonicalizedBody, 'base64').toString());
    sigstore.instead(paths.rekor, async (_body, _request, response) => {
      response.writeHead(201);
      response.end(JSON.stringify({ abc: await sigstore.log(body) }));
    });
    const error = await failure({});
    sigstore.instead(paths.rekor, undefined);
    expect(error.message).toMatch(/Rekor gave an entry that cannot be used .*another key/);
  });

  test('when Rekor answers with two entries, both of them right', async () => {
    sigstore.instead(paths.rekor, async (body, _request, response) => {
      const entry = await sigstore.log(JSON.parse(body.toString()));
      response.end(JSON.stringify({ one: entry, two: entry }));
    });
    const error = await failure({});
    sigstore.instead(paths.rekor, undefined);
    expect(error.message).toMatch(/2 entries where one was asked for/);
  });

  test.each([
    ['no entry', '{}'],
    ['an entry without proofs', '{"a":{"body":"e30="}}'],
    ['an entry that is no object', '{"a":1}'],
  ])('when Rekor answers with %s', async (_name, answer) => {
    sigstore.instead(paths.rekor, (_body, _request, response) => response.end(answer));
    const error = await failure({});
    sigstore.instead(paths.rekor, undefined);
    expect(error.code).toBe('ERR_SIGSTORE_SERVICE');
  });
});

describe('an entry that Rekor has already', () => {
  test('is fetched by its name, from the same log', async () => {
    let id = '';
    sigstore.instead(paths.rekor, async (body, _request, response) => {
      // The first answer got lost: the entry is there, and Rekor says so.
      const made = await fetch(`${sigstore.url}/made`, { method: 'POST', body });
      id = (await made.text()).trim();
      response.writeHead(409, { location: `https://elsewhere.example/api/v1/log/entries/${id}` });
      response.end('{"code":409,"message":"an equivalent entry already exists"}');
    });
    sigstore.instead('/made', (body, _request, response) => keep(body, response));
    const bundle = parseBundle(await keylessSigner(options()).bundle(payload));
    sigstore.instead(paths.rekor, undefined);
    expect(sigstore.requests.at(-1)).toBe(`GET ${paths.rekor}/${id}`);
    expect(verifier().verify(bundle, new Date())).toMatchObject({ ok: true });
  });

  test('without a name is refused', async () => {
    for (const location of ['', '/api/v1/log/entries/../../admin', '/api/v1/log/entries/ABC']) {
      sigstore.instead(paths.rekor, (_body, _request, response) => {
        response.writeHead(409, { location });
        response.end();
      });
      expect((await failure({})).message).toMatch(/no name of the entry/);
    }
    sigstore.instead(paths.rekor, undefined);
  });
});

async function keep(body: Buffer, response: import('node:http').ServerResponse): Promise<void> {
  sigstore.instead(paths.rekor, undefined);
  const answer = await fetch(`${sigstore.url}${paths.rekor}`, { method: 'POST', body });
  response.end(Object.keys((await answer.json()) as object)[0]);
}
