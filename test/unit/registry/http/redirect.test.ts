import { describe, expect, test } from 'vitest';
import { isRedirect, nextUrl } from '../../../../src/registry/http/redirect.ts';

const from = new URL('https://registry.example/v2/a/blobs/x');
const next = (location: string | undefined, visited: readonly URL[] = [from]): string =>
  nextUrl(visited, location, 3).href;

test.each([
  ['https://storage.example/x?signature=1', 'https://storage.example/x?signature=1'],
  ['/elsewhere', 'https://registry.example/elsewhere'],
  ['//storage.example/x', 'https://storage.example/x'],
  ['https://storage.example/x#fragment', 'https://storage.example/x'],
])('%s leads to %s', (location, url) => {
  expect(next(location)).toBe(url);
});

describe('is not followed', () => {
  test.each([
    ['without TLS', 'http://storage.example/x'],
    ['to another protocol', 'file:///etc/passwd'],
    ['to where it comes from', 'https://registry.example/v2/a/blobs/x'],
    ['with a name and password', 'https://user:password@storage.example/x'],
    ['nowhere', undefined],
    ['to no URL', 'https://'],
  ])('%s', (_, location) => {
    expect(() => next(location)).toThrow(expect.objectContaining({ code: 'ERR_REGISTRY_REDIRECT' }));
  });

  test('in a larger circle', () => {
    const visited = [from, new URL('https://storage.example/x')];
    expect(() => next(from.href, visited)).toThrow(/circle/);
  });

  test('more often than allowed', () => {
    const visited = [1, 2, 3].map((n) => new URL(`https://registry.example/${n}`));
    expect(next('/4', visited)).toBe('https://registry.example/4');
    expect(() => next('/5', [...visited, new URL('https://registry.example/4')])).toThrow(
      /more than 3 times/,
    );
  });
});

test('a redirect between hosts without TLS stays without', () => {
  const plain = new URL('http://127.0.0.1:5000/v2/');
  expect(next('http://127.0.0.1:5001/x', [plain])).toBe('http://127.0.0.1:5001/x');
});

test('the query of a redirect, which may hold a signature, is not in the error', () => {
  expect(() => next('http://storage.example/x?signature=secret')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('secret') }),
  );
});

test.each([
  [301, true],
  [302, true],
  [303, true],
  [307, true],
  [308, true],
  [200, false],
  [300, false],
  [304, false],
  [404, false],
])('%d is a redirect: %s', (status, expected) => {
  expect(isRedirect(status)).toBe(expected);
});
