import { describe, expect, test } from 'vitest';
import {
  type PullSecretType,
  pullSecretCandidates,
  readPullSecret,
} from '../../../../src/registry/auth/pull-secret.ts';
import { parseReference } from '../../../../src/registry/reference.ts';

const auth = (user: string) => ({ auth: Buffer.from(`${user}:secret`).toString('base64') });
const json: PullSecretType = 'kubernetes.io/dockerconfigjson';
const read = (content: unknown, type: PullSecretType = json) =>
  readPullSecret(type, Buffer.from(JSON.stringify(content)), 'Secret trading/pull');

function usersFor(auths: Readonly<Record<string, unknown>>, image: string): unknown[] {
  return pullSecretCandidates(read({ auths }), parseReference(image)).map((each) =>
    each.kind === 'password' ? each.username : each.kind,
  );
}

describe('whose credentials are for whom', () => {
  test.each([
    ['registry.example', 'registry.example/a', true],
    ['https://registry.example/v2/', 'registry.example/a', true],
    ['https://index.docker.io/v1/', 'nginx', true],
    ['docker.io', 'index.docker.io/library/nginx', true],
    ['registry.example/team', 'registry.example/team/app', true],
    ['registry.example/team', 'registry.example/teams/app', false],
    ['registry.example:5000', 'registry.example:5000/a', true],
    ['registry.example:5000', 'registry.example/a', false],
    ['registry.example', 'registry.example:5000/a', false],
    ['registry.example', 'registry.example.evil.com/a', false],
    ['registry.example', 'evil.com/registry.example/a', false],
    ['*.example.com', 'registry.example.com/a', true],
    ['*.example.com', 'a.b.example.com/a', false],
    ['*.example.com', 'example.com/a', false],
    ['*.example.com', 'registry.example.com.evil.com/a', false],
    ['*.example.com', 'registry.example.com:5000/a', false],
    ['*.example.com:5000', 'registry.example.com:5000/a', true],
    ['*.example.com:443', 'registry.example.com/a', true],
    ['*.example.com/team', 'registry.example.com/other/a', false],
    ['r*y-?.example', 'registry-1.example/a', true],
    ['r*y-?.example', 'registry-12.example/a', false],
    ['*', 'localhost/a', true],
    ['*', 'registry.example/a', false],
    ['[a-z]*.example', 'registry.example/a', false],
    ['', 'registry.example/a', false],
  ])('%s for %s: %s', (key, image, expected) => {
    expect(usersFor({ [key]: auth('u') }, image)).toEqual(expected ? ['u'] : []);
  });

  test('all that fit, in the order of the kubelet', () => {
    const auths = {
      'registry.example': auth('all'),
      'registry.example/a/b': auth('narrow'),
      '*.example': auth('pattern'),
      'registry.example/a': auth('part'),
      'other.example': auth('other'),
    };
    expect(usersFor(auths, 'registry.example/a/b/c')).toEqual(['narrow', 'part', 'all', 'pattern']);
  });

  test('a pattern that others would take long for', () => {
    const auths = { [`${'*a'.repeat(31)}.example`]: auth('u') };
    expect(usersFor(auths, `${'a'.repeat(62)}b.example/a`)).toEqual([]);
    expect(usersFor(auths, `${'a'.repeat(62)}.example/a`)).toEqual(['u']);
  });
});

test('of both types', () => {
  const entry = { username: 'u', password: 'p', email: 'u@example' };
  const [first] = read({ 'registry.example': entry }, 'kubernetes.io/dockercfg');
  expect(first?.credentials).toEqual({ kind: 'password', username: 'u', password: 'p' });
  expect(read({ 'registry.example': entry })).toEqual([]);
  expect(read({})).toEqual([]);
});

test('neither helpers nor what is not there are asked for', () => {
  const content = {
    credsStore: 'evil',
    credHelpers: { 'registry.example': 'evil' },
    auths: { 'registry.example': {}, 'other.example': auth('u') },
  };
  expect(read(content).map(({ key }) => key)).toEqual(['other.example']);
});

test.each<[string, unknown]>([
  ['text', 'hunter2'],
  ['a list', ['hunter2']],
  ['auths that are none', { auths: 'hunter2' }],
  ['an entry that is none', { auths: { 'registry.example': 'hunter2' } }],
  ['an auth without a colon', { auths: { 'registry.example': { auth: btoa('hunter2') } } }],
  ['too many entries', { auths: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`r${i}.x`, {}])) }],
])('%s is refused, and not quoted', (_, content) => {
  const refused = expect(() => read(content));
  refused.toThrow(
    expect.objectContaining({
      code: 'ERR_REGISTRY_CONFIGURATION',
      message: expect.stringMatching(/^Secret trading\/pull: (?!.*(hunter2|aHVudGVyMg))/),
    }),
  );
});

test('what is no JSON is refused, and not quoted', () => {
  expect(() => readPullSecret(json, Buffer.from('hunter2'), 'here')).toThrow(
    'here: its .dockerconfigjson is not the JSON that it should be',
  );
});
