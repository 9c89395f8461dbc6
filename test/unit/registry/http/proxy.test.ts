import { describe, expect, test } from 'vitest';
import { noProxy, proxiesOf } from '../../../../src/registry/http/proxy.ts';

const proxied = (env: Record<string, string>, url: string): string | undefined =>
  proxiesOf(env)(new URL(url))?.href;

const both = { HTTPS_PROXY: 'http://secure.example:3128', HTTP_PROXY: 'http://plain.example:3128' };

test.each([
  [both, 'https://registry.example/', 'http://secure.example:3128/'],
  [both, 'http://registry.example/', 'http://plain.example:3128/'],
  [{ https_proxy: 'proxy.example:3128' }, 'https://registry.example/', 'http://proxy.example:3128/'],
  [{ HTTP_PROXY: 'http://plain.example' }, 'https://registry.example/', undefined],
  [{ HTTPS_PROXY: '' }, 'https://registry.example/', undefined],
  [{}, 'https://registry.example/', undefined],
])('%j: %s goes through %s', (env, url, proxy) => {
  expect(proxied(env, url)).toBe(proxy);
});

describe('this machine is never spoken to through a proxy', () => {
  test.each(['https://localhost:5000/', 'http://127.0.0.1:5000/', 'http://[::1]/'])('%s', (url) => {
    expect(proxied(both, url)).toBeUndefined();
  });
});

describe('NO_PROXY', () => {
  test.each([
    ['*', 'https://registry.example/'],
    ['registry.example', 'https://registry.example/'],
    ['registry.example', 'https://cdn.registry.example/'],
    ['.registry.example', 'https://cdn.registry.example/'],
    ['*.registry.example', 'https://cdn.registry.example/'],
    ['REGISTRY.example', 'https://registry.example/'],
    ['a.example, registry.example', 'https://registry.example/'],
    ['registry.example:443', 'https://registry.example/'],
    ['10.0.0.0/8', 'https://10.1.2.3/'],
    ['10.1.2.3', 'https://10.1.2.3:5000/'],
    ['fd00::/8', 'https://[fd12::1]/'],
    ['[fd12::1]:5000', 'https://[fd12::1]:5000/'],
    ['fd12::1', 'https://[fd12::1]/'],
  ])('%s excepts %s', (list, url) => {
    expect(proxied({ ...both, NO_PROXY: list }, url)).toBeUndefined();
    expect(proxied({ ...both, no_proxy: list }, url)).toBeUndefined();
  });

  test.each([
    ['.registry.example', 'https://registry.example/'],
    ['registry.example', 'https://myregistry.example/'],
    ['registry.example:5000', 'https://registry.example/'],
    ['10.0.0.0/8', 'https://11.1.2.3/'],
    ['10.0.0.0/99', 'https://10.1.2.3/'],
    ['', 'https://registry.example/'],
  ])('%j does not except %s', (list, url) => {
    expect(proxied({ ...both, NO_PROXY: list }, url)).toBeDefined();
  });
});

test.each(['socks5://user:hunter2@proxy.example', 'http://user:hunter2@', 'hunter2 is no host'])(
  '%j is no proxy, and is not repeated',
  (value) => {
    expect(() => proxiesOf({ HTTPS_PROXY: value })).toThrow(
      expect.objectContaining({
        code: 'ERR_REGISTRY_CONFIGURATION',
        message: expect.not.stringContaining('hunter2'),
      }),
    );
  },
);

test('without being told there is no proxy', () => {
  expect(noProxy(new URL('https://registry.example/'))).toBeUndefined();
});
