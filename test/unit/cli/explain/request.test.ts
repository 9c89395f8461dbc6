import { describe, expect, test } from 'vitest';
import { parseHeader, parseMethod, parsePath } from '../../../../src/cli/explain/parse-request.ts';
import { attributesOf, isRemoved } from '../../../../src/explain/request.ts';

describe('headers', () => {
  test('have names in lower case and values without space around them', () => {
    expect(parseHeader('X-Desk:  a: b ')).toEqual({ name: 'x-desk', value: 'a: b' });
    expect(parseHeader('x-empty:')).toEqual({ name: 'x-empty', value: '' });
  });

  test.each(['x-desk', ':path: /', ' : a', 'x y: a', 'x: a\u0000b', 'é: a', ''])('%j is none', (text) => {
    expect(() => parseHeader(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
  });

  test.each([
    ['x-trellis-denied', true],
    ['x_trellis_user', true],
    ['x-envoy-original-path', true],
    ['x-forwarded-client-cert', true],
    ['x_forwarded-client_cert', true],
    ['x-forwarded-for', false],
    ['my-x-trellis', false],
  ])('%s is removed: %s', (name, expected) => {
    expect(isRemoved({ name, value: '' })).toBe(expected);
  });
});

describe('methods', () => {
  test('are in upper case; CONNECT is the mesh’s own', () => {
    expect(parseMethod('POST')).toBe('POST');
    expect(() => parseMethod('post')).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
    for (const bad of ['CONNECT', 'connect', '', 'a b']) {
      expect(() => parseMethod(bad)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }));
    }
  });
});

describe('paths', () => {
  test.each(['/', '/a', '/a/b?c=//d/../e%2f', '/a%20b', '/...', '/.a', '/a;b', '/%e2%82%ac', '/a.'])(
    '%s',
    (path) => {
      expect(parsePath(path)).toBe(path);
    },
  );

  test.each([
    ['a', 'begins with /'],
    ['', 'begins with /'],
    ['/a b', 'characters'],
    ['/é', 'characters'],
    ['/a#b', 'characters'],
    ['/a%2Fb', 'escaped slash'],
    ['/a%5cb', 'escaped slash'],
    ['//a', 'resolves'],
    ['/a//b', 'resolves'],
    ['/a/./b', 'resolves'],
    ['/a/..', 'resolves'],
    ['/a/.', 'resolves'],
    ['/a\\b', 'resolves'],
    ['/%61', 'decodes'],
    ['/a%2e', 'decodes'],
    ['/%7Ea', 'decodes'],
  ])('%s is refused: %s', (path, reason) => {
    expect(() => parsePath(path)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(reason) }),
    );
  });
});

describe('attributes', () => {
  const context = { principal: 'spiffe://a/b', port: 80, isTcp: false, host: 'h' };
  const nothing = { method: undefined, path: undefined, headers: [], token: undefined };

  test('what is not said is assumed', () => {
    expect(attributesOf(nothing, context)).toMatchObject({ method: 'GET', path: '/', host: 'h', port: 80 });
    expect(attributesOf(nothing, { ...context, isTcp: true })).toMatchObject({ method: 'CONNECT', path: '' });
  });

  test('every occurrence of a header is there; the token is one of them', () => {
    const headers = ['a: 1', 'A: 2', 'host: x', 'x-envoy-a: 3'].map(parseHeader);
    const request = attributesOf({ ...nothing, headers, token: 'T' }, context);
    expect(request.header('a')).toEqual(['1', '2']);
    expect(request.header('authorization')).toEqual(['Bearer T']);
    expect(request.header('x-envoy-a')).toEqual([]);
    expect(request.header('host')).toEqual([]);
    expect(request.host).toBe('x');
  });
});
