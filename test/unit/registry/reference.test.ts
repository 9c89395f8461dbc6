import { describe, expect, test } from 'vitest';
import {
  formatReference,
  isQualified,
  parseReference,
  parseRegistry,
  repositoryName,
} from '../../../src/registry/reference.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;

describe('parseReference', () => {
  test.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['bitnami/nginx', 'docker.io/bitnami/nginx:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['registry-1.docker.io/a/b', 'docker.io/a/b:latest'],
    ['docker.io:443/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io:443/a/b', 'docker.io/a/b:latest'],
    // The port that TLS has without saying so: one repository, one name.
    ['registry.example:443/a:v1', 'registry.example/a:v1'],
    [`Registry.Example:443/a@${digest}`, `registry.example/a@${digest}`],
    ['[::1]:443/a', '[::1]/a:latest'],
    ['registry.example:4443/a', 'registry.example:4443/a:latest'],
    ['registry.example:8443/a', 'registry.example:8443/a:latest'],
    ['registry.example/a:443', 'registry.example/a:443'],
    ['localhost/a', 'localhost/a:latest'],
    ['localhost:5000/a', 'localhost:5000/a:latest'],
    ['127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b:v1'],
    ['[::1]:5000/a/b:v1', '[::1]:5000/a/b:v1'],
    ['Registry.Example/a/b', 'registry.example/a/b:latest'],
    [`registry.example/a@${digest}`, `registry.example/a@${digest}`],
    [`registry.example/a:v1@${digest}`, `registry.example/a:v1@${digest}`],
    ['registry.example/a__b/c-d/e.f/g---h', 'registry.example/a__b/c-d/e.f/g---h:latest'],
    ['registry.example/a:_V.1-x', 'registry.example/a:_V.1-x'],
  ])('%s is %s', (text, whole) => {
    const parsed = parseReference(text);
    expect(formatReference(parsed)).toBe(whole);
    expect(parseReference(whole)).toEqual(parsed);
  });

  test('the digest says what is meant, and latest is meant only where nothing is said', () => {
    expect(parseReference(`registry.example/a@${digest}`)).toEqual({
      registry: 'registry.example',
      path: 'a',
      tag: undefined,
      digest,
    });
  });

  test.each([
    ['empty', ''],
    ['a scheme', 'https://registry.example/a'],
    ['a capital in the path', 'registry.example/A'],
    // A host to Docker; in lower case it would be a user of its hub.
    ['a capital in a first part without a dot', 'Registry/a'],
    ['a double slash', 'registry.example//a'],
    ['a path that climbs', 'registry.example/../a'],
    ['a trailing slash', 'registry.example/a/'],
    ['a query', 'registry.example/a?b'],
    ['white space', 'registry.example/a b'],
    ['a line end', 'registry.example/a\n'],
    ['an empty tag', 'registry.example/a:'],
    ['a tag that begins with a dash', 'registry.example/a:-x'],
    ['a tag of 129 characters', `registry.example/a:${'x'.repeat(129)}`],
    ['three underscores', 'registry.example/a___b'],
    ['a dot at the end of a part', 'registry.example/a./b'],
    ['a path of 256 characters', `registry.example/${'a'.repeat(256)}`],
    ['an image ID', 'a'.repeat(64)],
    ['an image ID with its algorithm', `sha256:${'a'.repeat(64)}`],
    ['a part of one', 'sha256:0123ab'],
    ['an image ID of SHA-512', `sha512:${'a'.repeat(128)}`],
    ['an image ID of SHA-384', `sha384:${'a'.repeat(96)}`],
    ['an image ID before a digest', `sha256:0123ab@${digest}`],
    ['a user name in the host', 'user@registry.example/a'],
    ['a host that ends in a dot', 'registry.example./a'],
    ['a host with an underscore', 'my_registry.example/a'],
    ['a port of 0', 'registry.example:0/a'],
    ['a port in a second spelling', 'registry.example:0443/a'],
    ['no port behind the colon', 'registry.example:/a'],
    ['a port above 65535', 'registry.example:65536/a'],
    // A URL turns these into 127.0.0.1, so that rules about hosts would miss them.
    ['an address in decimal', '2130706433:80/a'],
    ['an address in hexadecimal', '0x7f.1:5000/a'],
    ['an address with a part left out', '127.1/a'],
    ['an IPv6 address in a second spelling', '[0:0:0:0:0:0:0:1]:5000/a'],
    ['an IPv6 address with a zone', '[fe80::1%25eth0]/a'],
    ['a host of 1,200 characters', `${'a.'.repeat(600)}example/a`],
    ['2,000 characters', `registry.example/${'a/'.repeat(1000)}a`],
  ])('refuses %s', (_, text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ name: 'RegistryError', code: expect.stringMatching(/_INVALID$/) }),
    );
  });

  test.each([
    ['an unknown algorithm', 'registry.example/a@md5:0123'],
    ['a second digest', `registry.example/a@${digest}@${digest}`],
  ])('refuses a digest with %s', (_, text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'ERR_DIGEST_INVALID' }));
  });
});

test.each([
  'registry.example/sha256:0123ab',
  'docker.io/library/sha256:0123ab',
  'sha256:5000/a',
  'sha256',
  'sha256:latest',
  'sha256sum:0123ab',
  // The kubelet makes abcdef:latest of it, which is no part of an ID.
  'abcdef012345',
])('%s is a name, and no image ID', (text) => {
  expect(() => parseReference(text)).not.toThrow();
});

test.each([
  ['fedora', false],
  ['fedora:41', false],
  [`fedora@${digest}`, false],
  ['library/fedora', false],
  ['docker.io/fedora', true],
  ['registry.example/fedora', true],
  ['registry:5000/fedora', true],
  ['localhost/fedora', true],
  ['[::1]:5000/fedora', true],
])('%s says which registry it means: %s', (text, is) => {
  expect(isQualified(text)).toBe(is);
});

test('repositoryName is what a signature names', () => {
  expect(repositoryName(parseReference('registry.example:443/a'))).toBe('registry.example/a');
  expect(repositoryName(parseReference(`nginx:1@${digest}`))).toBe('docker.io/library/nginx');
});

test.each([
  ['Registry.Example:5000', 'registry.example:5000'],
  ['index.docker.io', 'docker.io'],
  ['registry-1.docker.io:443', 'docker.io'],
  ['registry.example:443', 'registry.example'],
])('parseRegistry: %s is %s', (text, registry) => {
  expect(parseRegistry(text)).toBe(registry);
});

test.each(['registry.example/a', 'https://registry.example', '', 'a b'])(
  'parseRegistry refuses %j',
  (text) => {
    expect(() => parseRegistry(text)).toThrow(expect.objectContaining({ code: 'ERR_REFERENCE_INVALID' }));
  },
);
