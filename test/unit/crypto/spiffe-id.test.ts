import { describe, expect, test } from 'vitest';
import {
  maxSpiffeIdBytes,
  maxTrustDomainBytes,
  parseSpiffeId,
  parseTrustDomain,
} from '../../../src/crypto/spiffe-id.ts';
import { expectCode } from './support/fixtures.ts';

describe('parseSpiffeId', () => {
  test.each([
    ['spiffe://cluster.local/ns/a/sa/b', 'cluster.local', '/ns/a/sa/b'],
    ['spiffe://cluster.local', 'cluster.local', ''],
    ['spiffe://a_b-c.1/A_b-C.9', 'a_b-c.1', '/A_b-C.9'],
    ['spiffe://a/...', 'a', '/...'],
    [`spiffe://${'a'.repeat(maxTrustDomainBytes)}`, 'a'.repeat(maxTrustDomainBytes), ''],
  ])('%s', (uri, trustDomain, path) => {
    expect(parseSpiffeId(uri)).toEqual({ uri, trustDomain, path });
  });

  test.each([
    '',
    'spiffe:',
    'spiffe://',
    'spiffe:///path',
    'SPIFFE://a/b',
    'https://a/b',
    'spiffe://Cluster.local/a',
    'spiffe://a:8443/b',
    'spiffe://user@a/b',
    'spiffe://a/b?c',
    'spiffe://a/b#c',
    'spiffe://a?c',
    'spiffe://a#c',
    'spiffe://a/',
    'spiffe://a/b/',
    'spiffe://a//b',
    'spiffe://a/./b',
    'spiffe://a/b/..',
    'spiffe://a/%62',
    'spiffe://a/b c',
    'spiffe://a/b\u0000',
    'spiffe://a/b\n',
    'spiffe://a/é',
    'spiffe://é/a',
    'spiffe://[::1]/a',
    'spiffe://a\\b',
    ' spiffe://a/b',
    `spiffe://${'a'.repeat(maxTrustDomainBytes + 1)}/b`,
  ])('refuses %j', (uri) => {
    expectCode('ERR_SPIFFE_ID_INVALID', () => parseSpiffeId(uri));
  });

  test('the message names the reason', () => {
    const reasons = {
      'spiffe:///a': 'is empty',
      'spiffe://a//b': 'empty segment',
      'spiffe://a/../b': 'relative segment',
    };
    for (const [uri, reason] of Object.entries(reasons)) {
      expectCode('ERR_SPIFFE_ID_INVALID', () => parseSpiffeId(uri), reason);
    }
  });

  test('the longest ID is accepted, one byte more is not', () => {
    const longest = `spiffe://a/${'b'.repeat(maxSpiffeIdBytes - 'spiffe://a/'.length)}`;
    expect(parseSpiffeId(longest).uri).toBe(longest);
    expectCode('ERR_SPIFFE_ID_INVALID', () => parseSpiffeId(`${longest}b`));
  });

  test('a long value is not quoted in full', () => {
    expect(
      expectCode('ERR_SPIFFE_ID_INVALID', () => parseSpiffeId('x'.repeat(100_000))).message.length,
    ).toBeLessThan(400);
  });
});

test('parseTrustDomain takes a bare name only', () => {
  expect(parseTrustDomain('cluster.local')).toBe('cluster.local');
  for (const bad of ['', 'spiffe://cluster.local', 'a/b', 'A', 'a:1', 'a b']) {
    expectCode('ERR_SPIFFE_ID_INVALID', () => parseTrustDomain(bad));
  }
});
