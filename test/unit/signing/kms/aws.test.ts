// The real AWS SDK against a fake AWS KMS on loopback.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { IssuingAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { signBytes, spkiDer, verifyBytes } from '../../../../src/crypto/keys.ts';
import { openKmsPublicKey, openKmsSigner, provideKmsKey } from '../../../../src/signing/kms/open.ts';
import { awsError, type FakeAwsKms, startFakeAwsKms } from '../../../support/kms.ts';
import { failure } from '../support.ts';

const options = { env: {} };
const message = Buffer.from('a short message');
const longMessage = Buffer.alloc(4097, 'x');

let fake: FakeAwsKms;

beforeEach(async () => {
  fake = await startFakeAwsKms();
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', fake.url);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'a secret of the test');
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});

afterEach(() => vi.unstubAllEnvs());

function actions(): string[] {
  return fake.requests.map(({ what }) => what.replace('TrentService.', ''));
}

describe('signing', () => {
  test.each<[IssuingAlgorithm, Buffer, string, string]>([
    ['ML-DSA-65', message, 'RAW', 'ML_DSA_SHAKE_256'],
    ['ML-DSA-87', message, 'RAW', 'ML_DSA_SHAKE_256'],
    ['ML-DSA-65', Buffer.alloc(4096, 'x'), 'RAW', 'ML_DSA_SHAKE_256'],
    ['ML-DSA-65', longMessage, 'EXTERNAL_MU', 'ML_DSA_SHAKE_256'],
    ['ML-DSA-87', longMessage, 'EXTERNAL_MU', 'ML_DSA_SHAKE_256'],
    ['ECDSA-P256', message, 'DIGEST', 'ECDSA_SHA_256'],
    ['ECDSA-P384', longMessage, 'DIGEST', 'ECDSA_SHA_384'],
  ])('with %s', async (algorithm, data, type, signingAlgorithm) => {
    const id = fake.add(algorithm, 'alias/ci');
    const signer = await openKmsSigner('awskms:///alias/ci', options);
    expect(signer.publicKey.algorithm).toBe(algorithm);
    const signature = await signer.sign(data);
    const key = fake.keys.get(id);
    expect(key && verifyBytes(key.publicKey, data, signature)).toBe(true);
    expect(fake.requests.at(-1)?.body).toMatchObject({
      KeyId: `arn:aws:kms:eu-central-1:111122223333:key/${id}`,
      MessageType: type,
      SigningAlgorithm: signingAlgorithm,
    });
  });

  test('asks for the public key once, and signs with the key it was asked of when the alias moves', async () => {
    const id = fake.add('ML-DSA-65', 'alias/ci');
    const signer = await openKmsSigner('awskms:///alias/ci', options);
    fake.add('ML-DSA-65', 'alias/ci');
    await signer.sign(message);
    await signer.sign(message);
    expect(actions()).toEqual(['GetPublicKey', 'Sign', 'Sign']);
    expect(fake.requests.at(-1)?.body['KeyId']).toContain(id);
  });

  test('refuses a signature that does not verify', async () => {
    fake.add('ECDSA-P256', 'alias/ci');
    const signer = await openKmsSigner('awskms:///alias/ci', options);
    const other = fake.keys.get(fake.add('ECDSA-P256'));
    fake.meddle = (_, answer) => ({
      ...answer,
      body: { Signature: other && signBytes(other, message).toString('base64') },
    });
    await failure('ERR_SIGNATURE_INVALID', signer.sign(message), /does not verify/);
    fake.meddle = () => ({ status: 200, body: {} });
    await failure('ERR_SIGNATURE_INVALID', signer.sign(message), /does not verify/);
  });
});

describe('the key', () => {
  test('may be named by id, ARN and alias ARN; an ARN says the region', async () => {
    const id = fake.add('ECDSA-P256', 'alias/ci');
    const spki = fake.keys.get(id);
    vi.stubEnv('AWS_REGION', undefined);
    for (const name of [`key/${id}`, 'alias/ci']) {
      const uri = `awskms:///arn:aws:kms:us-west-2:111122223333:${name}`;
      expect((await openKmsPublicKey(uri, options)).spki).toEqual(spki && spkiDer(spki));
    }
    expect(fake.requests.at(-1)?.authorization).toContain('/us-west-2/kms/');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    expect((await openKmsPublicKey(`awskms:///${id}`, options)).algorithm).toBe('ECDSA-P256');
  });

  test('is not found', async () => {
    await failure(
      'ERR_KMS_KEY',
      openKmsSigner('awskms:///alias/none', options),
      /there is no key .*trellis keygen --kms awskms:\/\/\/alias\/none/,
    );
  });

  test.each([
    [{ KeyUsage: 'ENCRYPT_DECRYPT' }, /is not for signing/],
    [{ KeySpec: 'ML_DSA_87' }, /is of ML_DSA_87/],
    [{ KeySpec: 'RSA_2048' }, /is of RSA_2048; Trellis signs with ML_DSA_65/],
    [{ PublicKey: base64('not a key') }, /not a public key that Trellis reads/],
    [{ PublicKey: undefined }, /is not for signing/],
  ])('is not one that Trellis signs with: %j', async (change, reason) => {
    fake.add('ML-DSA-65', 'alias/ci');
    fake.meddle = (_, answer) => ({ ...answer, body: { ...answer.body, ...change } });
    await failure('ERR_KMS_KEY', openKmsSigner('awskms:///alias/ci', options), reason);
  });

  test('of ML-DSA-44 is refused', async () => {
    fake.add('ML-DSA-65', 'alias/ci');
    fake.meddle = (_, answer) => ({ ...answer, body: { ...answer.body, KeySpec: 'ML_DSA_44' } });
    await failure('ERR_KMS_KEY', openKmsSigner('awskms:///alias/ci', options), /is of ML_DSA_44/);
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

describe('creating', () => {
  test('makes a key with an alias, and the next time finds it', async () => {
    const made = await provideKmsKey('awskms:///alias/new', undefined, options);
    expect(made).toMatchObject({ created: true, publicKey: { algorithm: 'ML-DSA-65' } });
    expect(actions()).toEqual(['GetPublicKey', 'CreateKey', 'CreateAlias', 'GetPublicKey']);
    const again = await provideKmsKey('awskms:///alias/new', 'ML-DSA-65', options);
    expect(again).toMatchObject({ created: false, name: made.name });
    expect(again.publicKey.spki).toEqual(made.publicKey.spki);
    expect(fake.keys.size).toBe(1);
  });

  test('refuses to take a key of another algorithm for the one that was asked for', async () => {
    fake.add('ECDSA-P256', 'alias/ci');
    await failure(
      'ERR_KMS_KEY',
      provideKmsKey('awskms:///alias/ci', 'ML-DSA-65', options),
      /is a key of ECDSA-P256, not of ML-DSA-65/,
    );
    expect(actions()).toEqual(['GetPublicKey']);
  });

  test('needs an alias', async () => {
    const uri = 'awskms:///00000000-0000-4000-8000-000000000009';
    await failure('ERR_KMS_KEY', provideKmsKey(uri, undefined, options), /give awskms:\/\/\/alias\/NAME/);
  });

  test('waits for a new key that is not known everywhere yet', async () => {
    let looks = 0;
    fake.meddle = ({ what }, answer) => {
      if (!what.endsWith('GetPublicKey')) return answer;
      looks += 1;
      return looks < 4 ? awsError('NotFoundException') : answer;
    };
    const sleeps: number[] = [];
    const sleep = async (ms: number) => void sleeps.push(ms);
    const made = await provideKmsKey('awskms:///alias/new', 'ECDSA-P384', { ...options, sleep });
    expect(made.publicKey.algorithm).toBe('ECDSA-P384');
    expect(sleeps).toEqual([500, 500]);
  });

  test('names the key that is left over when it gets no alias', async () => {
    fake.meddle = ({ what }, answer) =>
      what.endsWith('CreateAlias') ? awsError('AlreadyExistsException') : answer;
    await failure(
      'ERR_KMS_KEY',
      provideKmsKey('awskms:///alias/new', undefined, options),
      /AlreadyExistsException.*the new key 00000000-0000-4000-8000-000000000001 has no alias now/,
    );
  });
});

describe('what goes wrong', () => {
  test.each([
    ['AccessDeniedException', 400, 'ERR_KMS_KEY', /check the key's state and policy/],
    ['DisabledException', 400, 'ERR_KMS_KEY', /DisabledException/],
    ['ExpiredTokenException', 400, 'ERR_KMS_CREDENTIALS', /AWS_REGION and credentials/],
    ['UnrecognizedClientException', 400, 'ERR_KMS_CREDENTIALS', /credentials/],
    ['KMSInternalException', 500, 'ERR_KMS_UNAVAILABLE', /try again/],
    ['ThrottlingException', 400, 'ERR_KMS_UNAVAILABLE', /try again/],
  ] as const)('%s', async (type, status, code, reason) => {
    fake.add('ML-DSA-65', 'alias/ci');
    fake.meddle = () => awsError(type, status);
    await failure(code, openKmsSigner('awskms:///alias/ci', options), reason);
  });

  test('no credentials, no region', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    await failure('ERR_KMS_CREDENTIALS', openKmsSigner('awskms:///alias/ci', options), /credentials/);
    vi.stubEnv('AWS_REGION', undefined);
    await failure('ERR_KMS_CREDENTIALS', openKmsSigner('awskms:///alias/ci', options), /AWS_REGION/);
  });

  test('nobody answers at the endpoint', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', 'http://127.0.0.1:1');
    await failure('ERR_KMS_UNAVAILABLE', openKmsSigner('awskms:///alias/ci', options), /ECONNREFUSED/);
  });

  test('the service hangs: the deadline, and the caller who has waited enough', async () => {
    fake.add('ML-DSA-65', 'alias/ci');
    const signer = await openKmsSigner('awskms:///alias/ci', { ...options, deadlineMs: 500 });
    fake.meddle = () => new Promise(() => {});
    await failure('ERR_KMS_UNAVAILABLE', signer.sign(message), /no answer within 0\.5 s/);
    const patient = await openKmsSignerBeforeHang();
    const caller = new AbortController();
    const signing = patient.sign(message, caller.signal);
    caller.abort(new Error('enough'));
    await expect(signing).rejects.toThrow('enough');
  });

  async function openKmsSignerBeforeHang() {
    const hang = fake.meddle;
    fake.meddle = (_, answer) => answer;
    const signer = await openKmsSigner('awskms:///alias/ci', options);
    fake.meddle = hang;
    return signer;
  }
});

test('requests go through the proxy that the environment names', async () => {
  fake.add('ML-DSA-65', 'alias/ci');
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', 'http://kms.example');
  // The fake answers whatever it is asked for, as a proxy does.
  const publicKey = await openKmsPublicKey('awskms:///alias/ci', { env: { HTTP_PROXY: fake.url } });
  expect(publicKey.algorithm).toBe('ML-DSA-65');
});

test('a host in the URI is an https endpoint, whatever the environment says', async () => {
  const { port } = new URL(fake.url);
  const opening = openKmsPublicKey(`awskms://127.0.0.1:${port}/alias/ci`, options);
  await failure('ERR_KMS_UNAVAILABLE', opening, /./);
  expect(fake.requests).toEqual([]);
});
