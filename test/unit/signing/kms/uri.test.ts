import { describe, expect, test } from 'vitest';
import { isKmsUri, parseKmsUri } from '../../../../src/signing/kms/uri.ts';
import { failure } from '../support.ts';

const id = '1234abcd-12ab-34cd-56ef-1234567890ab';
const mrk = 'mrk-1234abcd12ab34cd56ef1234567890ab';
const arn = 'arn:aws:kms:us-east-2:111122223333';

describe('AWS', () => {
  test.each([
    ['/alias/ci', undefined, 'alias/ci', undefined],
    ['/alias/team/ci_1-x', undefined, 'alias/team/ci_1-x', undefined],
    [`/${id}`, undefined, id, undefined],
    [`/${mrk}`, undefined, mrk, undefined],
    [`/${arn}:key/${id}`, undefined, `${arn}:key/${id}`, 'us-east-2'],
    [`/${arn}:alias/ci`, undefined, `${arn}:alias/ci`, 'us-east-2'],
    [
      '/arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/ci',
      undefined,
      expect.anything(),
      'us-gov-west-1',
    ],
    ['localhost:4566/alias/ci', 'https://localhost:4566', 'alias/ci', undefined],
    [`kms.example/${arn}:alias/ci`, 'https://kms.example', `${arn}:alias/ci`, 'us-east-2'],
    [`[::1]:4566/${id}`, 'https://[::1]:4566', id, undefined],
  ])('awskms://%s', (rest, endpoint, keyId, region) => {
    expect(parseKmsUri(`awskms://${rest}`)).toEqual({ service: 'aws', endpoint, keyId, region });
  });

  test.each([
    '',
    '/',
    'alias/ci',
    '/alias/',
    '/alias',
    '/ci',
    '/alias/a b',
    '/alias/a?b',
    '/alias/a\n',
    `/${id}x`,
    `/${arn}:${id}`,
    '/arn:aws:s3:us-east-2:111122223333:alias/ci',
    '/arn:aws:kms:us-east-2:1:alias/ci',
    'user@host/alias/ci',
    'host:port/alias/ci',
    'host#/alias/ci',
    `/alias/${'x'.repeat(251)}`,
    `/arn:aws:kms:${'x'.repeat(2000)}:111122223333:alias/ci`,
  ])('refuses awskms://%s', async (rest) => {
    await failure('ERR_KMS_URI_INVALID', () => parseKmsUri(`awskms://${rest}`), /awskms:|longer than/);
  });
});

describe('Google', () => {
  const ring = 'projects/example.com:p-1/locations/europe-west3/keyRings/r';

  test.each([
    ['', undefined],
    ['/versions/12', '12'],
    ['/cryptoKeyVersions/3', '3'],
  ])('gcpkms://…/cryptoKeys/k%s', (rest, version) => {
    expect(parseKmsUri(`gcpkms://${ring}/cryptoKeys/k${rest}`)).toEqual({
      service: 'google',
      keyRing: ring,
      key: 'k',
      version,
    });
  });

  test.each([
    '',
    ring,
    `/${ring}/cryptoKeys/k`,
    `${ring}/cryptoKeys/`,
    `${ring}/cryptoKeys/k/`,
    `${ring}/cryptoKeys/k/versions/0`,
    `${ring}/cryptoKeys/k/versions/x`,
    `${ring}/cryptoKeys/k/versions/1/publicKey`,
    `${ring}/cryptoKeys/..`,
    `${ring}/cryptoKeys/k:asymmetricSign`,
    'projects/p/locations/l/keyRings/r/x/cryptoKeys/k',
  ])('refuses gcpkms://%s', async (rest) => {
    await failure('ERR_KMS_URI_INVALID', () => parseKmsUri(`gcpkms://${rest}`), /write gcpkms:/);
  });
});

test('knows no other service', async () => {
  for (const uri of ['azurekms://x/y', 'hashivault://k', 'k8s://a/b', 'file.key', ''])
    await failure('ERR_KMS_URI_INVALID', () => parseKmsUri(uri), /awskms:\/\/ .* and gcpkms:\/\//);
});

test('tells URIs from paths', () => {
  for (const uri of ['awskms:///alias/x', 'gcpkms://projects', 'azurekms://x'])
    expect(isKmsUri(uri)).toBe(true);
  for (const path of ['ci.key', '/a/awskms://x', './kms', 'awskms.key', ''])
    expect(isKmsUri(path)).toBe(false);
});
