// The real Google Cloud SDK against a fake Cloud KMS on loopback.

import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { signBytes, spkiDer, verifyBytes } from '../../../../src/crypto/keys.ts';
import { crc32c } from '../../../../src/signing/kms/crc32c.ts';
import { openKmsPublicKey, openKmsSigner, provideKmsKey } from '../../../../src/signing/kms/open.ts';
import type { KmsOptions } from '../../../../src/signing/kms/service.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import {
  type FakeGoogleKms,
  googleError,
  keyRing,
  startFakeGoogleKms,
  writeGoogleCredentials,
} from '../../../support/kms.ts';
import { failure } from '../support.ts';

const message = Buffer.from('a short message');
const longMessage = Buffer.alloc(64 * 1024 + 1, 'x');
const uri = `gcpkms://${keyRing}/cryptoKeys/ci`;

let credentials: string;
let fake: FakeGoogleKms;
let options: KmsOptions;

beforeAll(async () => {
  credentials = join(await temporaryDirectory(), 'service-account.json');
  await writeGoogleCredentials(credentials);
});

beforeEach(async () => {
  fake = await startFakeGoogleKms();
  options = { env: { CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS: `${fake.url}/` } };
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', credentials);
});

afterEach(() => vi.unstubAllEnvs());

const calls = () => fake.requests.map(({ what }) => what.replace(/\?.*/, '').replace(/.*cryptoKeys/, ''));

describe('signing', () => {
  test.each([
    ['PQ_SIGN_ML_DSA_65', 'ML-DSA-65', message, 'data'],
    ['PQ_SIGN_ML_DSA_87', 'ML-DSA-87', message, 'data'],
    ['PQ_SIGN_ML_DSA_65_EXTERNAL_MU', 'ML-DSA-65', longMessage, 'externalMu'],
    ['PQ_SIGN_ML_DSA_87_EXTERNAL_MU', 'ML-DSA-87', message, 'externalMu'],
    ['EC_SIGN_P256_SHA256', 'ECDSA-P256', message, 'sha256'],
    ['EC_SIGN_P384_SHA384', 'ECDSA-P384', longMessage, 'sha384'],
  ] as const)('with %s', async (kind, algorithm, data, member) => {
    const name = fake.add('ci', kind);
    const signer = await openKmsSigner(`${uri}/versions/1`, options);
    expect(signer.publicKey.algorithm).toBe(algorithm);
    const key = fake.versions.get(name)?.key;
    expect(signer.publicKey.spki).toEqual(key && spkiDer(key));
    const signature = await signer.sign(data);
    expect(key && verifyBytes(key.publicKey, data, signature)).toBe(true);
    const { body } = fake.requests.at(-1) ?? {};
    expect({ ...body, ...((body?.['digest'] ?? {}) as object) }).toHaveProperty(member);
  });

  test('asks for the public key once', async () => {
    fake.add('ci', 'EC_SIGN_P256_SHA256');
    const signer = await openKmsSigner(`${uri}/cryptoKeyVersions/1`, options);
    await signer.sign(message);
    await signer.sign(message);
    const sign = '/ci/cryptoKeyVersions/1:asymmetricSign';
    expect(calls()).toEqual(['/ci/cryptoKeyVersions/1/publicKey', sign, sign]);
  });

  test('without a version takes the newest enabled one, and keeps it', async () => {
    for (const version of [2, 10, 9]) fake.add('ci', 'PQ_SIGN_ML_DSA_65', version);
    const disabled = fake.versions.get(fake.add('ci', 'PQ_SIGN_ML_DSA_65', 11));
    if (disabled !== undefined) disabled.enabled = false;
    const signer = await openKmsSigner(uri, options);
    fake.add('ci', 'PQ_SIGN_ML_DSA_65', 12);
    await signer.sign(message);
    expect(calls().at(-1)).toBe('/ci/cryptoKeyVersions/10:asymmetricSign');
  });

  test.each([
    ['a signature of another key', 'ERR_SIGNATURE_INVALID', (other: Buffer) => withSignature(other)],
    [
      'a signature without its checksum',
      'ERR_KMS_UNAVAILABLE',
      (other: Buffer) => ({ ...withSignature(other), signatureCrc32c: undefined }),
    ],
    ['a request that was damaged on the way', 'ERR_KMS_UNAVAILABLE', () => ({ verifiedDigestCrc32c: false })],
    ['the name of another version', 'ERR_KMS_UNAVAILABLE', () => ({ name: `${keyRing}/cryptoKeys/x` })],
    ['no signature', 'ERR_KMS_UNAVAILABLE', () => ({ signature: undefined })],
  ] as const)('refuses %s', async (_, code, change) => {
    fake.add('ci', 'EC_SIGN_P256_SHA256');
    const other = fake.versions.get(fake.add('other', 'EC_SIGN_P256_SHA256'))?.key;
    const signer = await openKmsSigner(`${uri}/versions/1`, options);
    const signature = other === undefined ? Buffer.alloc(0) : signBytes(other, message);
    fake.meddle = (_request, answer) => ({ ...answer, body: { ...answer.body, ...change(signature) } });
    await failure(code, signer.sign(message), /does not verify|checksums/);
  });

  function withSignature(signature: Buffer) {
    return { signature: signature.toString('base64'), signatureCrc32c: String(crc32c(signature)) };
  }

  test('says what helps when a message is too long for the kind of key', async () => {
    fake.add('ci', 'PQ_SIGN_ML_DSA_65');
    const signer = await openKmsSigner(`${uri}/versions/1`, options);
    await failure('ERR_KMS_KEY', signer.sign(longMessage), /EXTERNAL_MU/);
  });
});

describe('the key', () => {
  test('is not found', async () => {
    await failure(
      'ERR_KMS_KEY',
      openKmsSigner(uri, options),
      /there is no key gcpkms:.*trellis keygen --kms/,
    );
    await failure('ERR_KMS_KEY', openKmsSigner(`${uri}/versions/7`, options), /there is no key/);
  });

  test('has no enabled version', async () => {
    const version = fake.versions.get(fake.add('ci', 'EC_SIGN_P256_SHA256'));
    if (version !== undefined) version.enabled = false;
    await failure('ERR_KMS_KEY', openKmsSigner(uri, options), /has no enabled version/);
    await failure('ERR_KMS_KEY', openKmsSigner(`${uri}/versions/1`, options), /FAILED_PRECONDITION/);
  });

  test.each([
    [
      'another algorithm than Trellis signs with',
      { algorithm: 2 },
      'ERR_KMS_KEY',
      /Trellis signs with PQ_SIGN/,
    ],
    ['another algorithm than its public key', { algorithm: 13 }, 'ERR_KMS_KEY', /said to be of ECDSA-P384/],
    ['a wrong checksum', { pemCrc32c: '1' }, 'ERR_KMS_UNAVAILABLE', /checksums/],
    [
      'another name',
      { name: `${keyRing}/cryptoKeys/x/cryptoKeyVersions/1` },
      'ERR_KMS_UNAVAILABLE',
      /exchanged/,
    ],
    ['no public key', { pem: undefined, pemCrc32c: undefined }, 'ERR_KMS_UNAVAILABLE', /checksums/],
    [
      'something else for a public key',
      { pem: 'x', pemCrc32c: String(crc32c(Buffer.from('x'))) },
      'ERR_KMS_KEY',
      /not the expected PEM/,
    ],
  ] as const)('has %s', async (_, change, code, reason) => {
    fake.add('ci', 'EC_SIGN_P256_SHA256');
    fake.meddle = (_request, answer) => ({ ...answer, body: { ...answer.body, ...change } });
    await failure(code, openKmsSigner(`${uri}/versions/1`, options), reason);
  });

  test('of ML-DSA comes with a checksum too', async () => {
    fake.add('ci', 'PQ_SIGN_ML_DSA_65');
    fake.meddle = (_request, answer) => {
      const publicKey = { ...(answer.body['publicKey'] as object), crc32cChecksum: '1' };
      return answer.status === 200 ? { ...answer, body: { ...answer.body, publicKey } } : answer;
    };
    await failure('ERR_KMS_UNAVAILABLE', openKmsSigner(`${uri}/versions/1`, options), /checksums/);
  });
});

describe('creating', () => {
  test.each([
    [undefined, 'ML-DSA-65', 'PQ_SIGN_ML_DSA_65'],
    ['ML-DSA-87', 'ML-DSA-87', 'PQ_SIGN_ML_DSA_87'],
    ['ECDSA-P256', 'ECDSA-P256', 'EC_SIGN_P256_SHA256'],
    ['ECDSA-P384', 'ECDSA-P384', 'EC_SIGN_P384_SHA384'],
  ] as const)('a key of %s: it is %s, and the next time it is found', async (asked, algorithm, kind) => {
    const sleeps: number[] = [];
    const sleep = async (ms: number) => void sleeps.push(ms);
    const made = await provideKmsKey(uri, asked, { ...options, sleep });
    expect(made).toMatchObject({
      created: true,
      name: `${keyRing}/cryptoKeys/ci/cryptoKeyVersions/1`,
      publicKey: { algorithm },
    });
    // Not ready at first.
    expect(sleeps).toEqual([1000]);
    expect(fake.versions.get(made.name)?.algorithm).toBe(kind);
    expect(await provideKmsKey(uri, asked, options)).toMatchObject({ created: false, name: made.name });
    expect(fake.versions.size).toBe(1);
  });

  test('a version is not what can be created', async () => {
    await failure(
      'ERR_KMS_KEY',
      provideKmsKey(`${uri}/versions/1`, undefined, options),
      /leave the version out/,
    );
    expect(fake.versions.size).toBe(0);
  });
});

describe('what goes wrong', () => {
  test.each([
    [403, 'PERMISSION_DENIED', 'ERR_KMS_KEY', /permissions/],
    [401, 'UNAUTHENTICATED', 'ERR_KMS_CREDENTIALS', /gcloud auth application-default login/],
    [500, 'INTERNAL', 'ERR_KMS_UNAVAILABLE', /try again/],
    [429, 'RESOURCE_EXHAUSTED', 'ERR_KMS_UNAVAILABLE', /try again/],
  ] as const)('%i %s', async (status, name, code, reason) => {
    fake.add('ci', 'EC_SIGN_P256_SHA256');
    fake.meddle = () => googleError(status, name);
    await failure(code, openKmsSigner(`${uri}/versions/1`, options), reason);
  });

  test('the service hangs: the deadline, and the caller who has waited enough', async () => {
    fake.add('ci', 'EC_SIGN_P256_SHA256');
    fake.meddle = () => new Promise(() => {});
    await failure(
      'ERR_KMS_UNAVAILABLE',
      openKmsPublicKey(`${uri}/versions/1`, { ...options, deadlineMs: 500 }),
      /no answer within 0\.5 s/,
    );
    const caller = new AbortController();
    const opening = openKmsPublicKey(`${uri}/versions/1`, options, caller.signal);
    setImmediate(() => caller.abort(new Error('enough')));
    await expect(opening).rejects.toThrow('enough');
    await expect(openKmsPublicKey(uri, options, caller.signal)).rejects.toThrow('enough');
  });

  test.each([
    'http://kms.example',
    'kms.example',
    'ftp://127.0.0.1',
    'https://kms.example/v1',
    'https://u@kms.example',
  ])('the endpoint is %s', async (endpoint) => {
    const env = { CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS: endpoint };
    await failure('ERR_KMS_URI_INVALID', openKmsSigner(uri, { env }), /not a usable endpoint/);
  });
});
