import { describe, expect, test } from 'vitest';
import { chooseChallenge } from '../../../../src/registry/auth/challenge.ts';

const choose = (header: string | undefined) => chooseChallenge(header, 'registry.example');
const bearer = { scheme: 'bearer', realm: 'https://auth.example/token', service: 'registry.example' };

test.each([
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    bearer,
  ],
  ['bearer  realm="https://auth.example/token" , service=registry.example', bearer],
  ['BEARER REALM="https://auth.example/token",SERVICE="registry.example"', bearer],
  ['Basic realm="x", Bearer realm="https://auth.example/token",service="registry.example"', bearer],
  ['Bearer realm="https://auth.example/token"', { ...bearer, service: undefined }],
  // The first one counts, as for everybody else.
  [
    'Bearer realm="https://auth.example/token",realm="https://evil.example",service="registry.example"',
    bearer,
  ],
  [String.raw`Bearer realm="https://auth.example/token",service="registry\.example"`, bearer],
  ['Basic realm="x"', { scheme: 'basic' }],
  ['Basic', { scheme: 'basic' }],
  ['Digest realm="a", qop="auth", Basic realm="x"', { scheme: 'basic' }],
  // A name inside of quotes is no scheme.
  ['Basic realm="Bearer realm=https://evil.example"', { scheme: 'basic' }],
  ['Bearer scope="x", Basic realm="x"', { scheme: 'basic' }],
])('%s', (header, challenge) => {
  expect(choose(header)).toEqual(challenge);
});

describe('there is nothing to answer in', () => {
  test.each([
    [undefined],
    [''],
    ['Digest realm="x"'],
    ['Bearer'],
    ['Bearer service="x"'],
    ['realm="https://auth.example"'],
    ['\u0000'],
    ['"Basic"'],
  ])('%s', (header) => {
    expect(() => choose(header)).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_UNAUTHORIZED', status: 401 }),
    );
  });
});

test.each([`Bearer ${'a="'.repeat(100_000)}`, `Basic ${'\\'.repeat(100_000)}`, '" \\"'.repeat(50_000)])(
  'a hostile header ends (%#)',
  (header) => {
    expect(() => choose(header)).toBeDefined();
    try {
      choose(header);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_REGISTRY_UNAUTHORIZED' });
    }
  },
);
