import { describe, expect, test } from 'vitest';
import {
  checkLiteral,
  checkScheme,
  destinationRules,
  guardedLookup,
  isLoopbackName,
  type Zone,
} from '../../../../src/registry/http/destination.ts';
import { resolving } from '../support/client.ts';

const metadata = '169.254.169.254';
const rules = destinationRules({
  plainHttp: ['plain.example:5000', 'named.example'],
  resolve: resolving({
    'registry.example': '192.0.2.1',
    'evil.example': metadata,
    'half.example': ['192.0.2.1', metadata],
    'local.example': '127.0.0.1',
    'six.example': '::ffff:169.254.169.254',
    localhost: ['::1', '127.0.0.1'],
    'elsewhere.localhost': '192.0.2.1',
  }),
});

async function look(name: string, zone: Zone, all = true, given = rules): Promise<unknown> {
  const found = Promise.withResolvers<unknown>();
  guardedLookup(zone, given, () => undefined)(name, { all }, (error, address, family) => {
    if (error === null) found.resolve(all ? address : { address, family });
    else found.reject(error);
  });
  return await found.promise;
}

describe('guardedLookup', () => {
  test('passes on addresses that may be connected to', async () => {
    expect(await look('registry.example', 'public')).toEqual([{ address: '192.0.2.1', family: 4 }]);
    expect(await look('registry.example', 'public', false)).toEqual({ address: '192.0.2.1', family: 4 });
  });

  test.each([
    ['a metadata service', 'evil.example', 'public'],
    ['a metadata service, in the zone of a loopback registry', 'evil.example', 'loopback'],
    ['a metadata service in IPv6', 'six.example', 'public'],
    ['a metadata service among others', 'half.example', 'public'],
    ['this machine', 'local.example', 'public'],
    ['this machine by its name', 'localhost', 'public'],
    ['elsewhere, by a name of this machine', 'elsewhere.localhost', 'loopback'],
  ] as const)('refuses a name that leads to %s', async (_, name, zone) => {
    await expect(look(name, zone)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_ADDRESS',
      message: expect.stringContaining(name),
    });
  });

  test('a loopback registry may be on this machine', async () => {
    expect(await look('localhost', 'loopback')).toHaveLength(2);
    expect(await look('local.example', 'loopback')).toHaveLength(1);
  });

  test('what the operator allows is allowed', async () => {
    const allowing = destinationRules({
      ...rules,
      plainHttp: [],
      allowedAddresses: ['169.254.169.254', '127.0.0.0/8'],
    });
    expect(await look('evil.example', 'public', true, allowing)).toHaveLength(1);
    expect(await look('local.example', 'public', true, allowing)).toHaveLength(1);
  });

  test('a name without addresses is no success', async () => {
    await expect(look('nowhere.example', 'public')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    const empty = destinationRules({ resolve: async () => [] });
    await expect(look('a', 'public', true, empty)).rejects.toThrow('has no address');
  });
});

describe('checkLiteral', () => {
  test.each([
    'https://169.254.169.254/',
    'https://[::ffff:169.254.169.254]/',
    'https://[fe80::1]/',
    'https://127.0.0.1/',
    'https://[::1]/',
    // What a URL makes of other spellings of addresses.
    'https://2852039166/',
    'https://0xa9fea9fe/',
    'https://0251.0376.0251.0376/',
    'https://127.1/',
    'https://0/',
  ])('refuses %s', (url) => {
    expect(() => checkLiteral(new URL(url), 'public', rules)).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_ADDRESS' }),
    );
  });

  test.each([
    'https://192.0.2.1/',
    'https://[2001:db8::1]/',
    'https://registry.example/',
    'https://evil.example/',
  ])('has nothing against %s: names are judged when they are resolved', (url) => {
    expect(() => checkLiteral(new URL(url), 'public', rules)).not.toThrow();
  });

  test('loopback is for the zone of loopback registries', () => {
    expect(() => checkLiteral(new URL('https://127.0.0.1/'), 'loopback', rules)).not.toThrow();
    expect(() => checkLiteral(new URL('https://169.254.169.254/'), 'loopback', rules)).toThrow();
  });
});

describe('checkScheme', () => {
  test.each([
    ['https://registry.example/', 'public'],
    ['http://plain.example:5000/', 'public'],
    ['http://named.example/', 'public'],
    ['http://named.example:5001/', 'public'],
    ['http://127.0.0.1:5000/', 'loopback'],
    ['http://localhost/', 'loopback'],
  ] as const)('%s is spoken to (%s)', (url, zone) => {
    expect(() => checkScheme(new URL(url), zone, rules)).not.toThrow();
  });

  test.each([
    ['http://registry.example/', 'public'],
    ['http://plain.example/', 'public'],
    ['http://plain.example:5001/', 'public'],
    ['http://127.0.0.1:5000/', 'public'],
    ['http://registry.example/', 'loopback'],
    ['ftp://registry.example/', 'public'],
    ['file:///etc/passwd', 'public'],
  ] as const)('%s is not (%s)', (url, zone) => {
    expect(() => checkScheme(new URL(url), zone, rules)).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_PLAIN_HTTP' }),
    );
  });
});

test.each([
  ['localhost', true],
  ['a.localhost', true],
  ['127.9.9.9', true],
  ['[::1]', true],
  ['::1', true],
  ['localhost.example', false],
  ['notlocalhost', false],
  ['128.0.0.1', false],
])('isLoopbackName(%s) is %s', (name, expected) => {
  expect(isLoopbackName(name)).toBe(expected);
});

test.each(['10.0.0.0/33', '::/129', 'registry.example', '10.0.0.0/', ''])(
  '%j is no network to allow',
  (network) => {
    expect(() => destinationRules({ allowedAddresses: [network] })).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_CONFIGURATION' }),
    );
  },
);
