import { describe, expect, test } from 'vitest';
import { pathGlobToRegex } from '../../../src/policy/path-glob.ts';

/** Envoy matches the whole `:path`. */
function matches(glob: string, path: string): boolean {
  return new RegExp(`^(?:${pathGlobToRegex(glob)})$`, 's').test(path);
}

describe('pathGlobToRegex', () => {
  test.each([
    ['/orders', '/orders', true],
    ['/orders', '/orders?page=2', true],
    ['/orders', '/orders/7', false],
    ['/orders', '/ordersX', false],
    ['/orders', '/', false],
    ['/orders/**', '/orders', true],
    ['/orders/**', '/orders/', true],
    ['/orders/**', '/orders/7/lines', true],
    ['/orders/**', '/orders/7?x=/admin', true],
    ['/orders/**', '/ordersX', false],
    ['/orders/**', '/admin?x=/orders/7', false],
    ['/orders/*', '/orders/7', true],
    ['/orders/*', '/orders/7/lines', false],
    ['/orders/*', '/orders', false],
    ['/v*/status', '/v1/status', true],
    ['/v*/status', '/v1/x/status', false],
    ['/v*/status', '/v1?/status', false],
    ['/a/**/z', '/a/z', true],
    ['/a/**/z', '/a/b/c/z', true],
    ['/a/**/z', '/a/b/c', false],
    ['/a/**/z', '/a?/z', false],
    ['/**', '/', true],
    ['/**', '/any/thing?at=all', true],
    ['/a/**', '/a/..;/b', false],
    ['/a/**/z', '/a/..;/z', false],
    ['/a/*', '/a/..;', false],
    ['/a/*;v=*', '/a/7;v=2', true],
    ['/a.b', '/aXb', false],
    ['/a.b', '/a.b', true],
    ['/', '/', true],
    ['/', '/x', false],
  ])('%s and %s: %s', (glob, path, expected) => {
    expect(matches(glob, path)).toBe(expected);
  });
});
