import { describe, expect, test } from 'vitest';
import { addressesInHosts, namesToAsk, parseResolvConf } from '../../../../src/registry/http/name-files.ts';

describe('parseResolvConf', () => {
  test('what Kubernetes writes for a pod', () => {
    const text = [
      'search trading.svc.cluster.local svc.cluster.local cluster.local',
      'nameserver 10.96.0.10',
      'options ndots:5',
      '',
    ].join('\n');
    expect(parseResolvConf(text)).toEqual({
      servers: ['10.96.0.10'],
      search: ['trading.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      ndots: 5,
    });
  });

  test.each([
    ['nothing', '', { servers: [], search: [], ndots: 1 }],
    [
      'comments',
      '# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver 192.0.2.3 # three',
      { servers: ['192.0.2.3'] },
    ],
    [
      'tabs and carriage returns',
      'nameserver\t192.0.2.1\r\nsearch\ta.example \tb.example\r\n',
      { servers: ['192.0.2.1'], search: ['a.example', 'b.example'] },
    ],
    ['IPv6', 'nameserver 2001:db8::1\nnameserver fe80::1%eth0', { servers: ['2001:db8::1', 'fe80::1%eth0'] }],
    [
      'three servers at most',
      [1, 2, 3, 4].map((n) => `nameserver 192.0.2.${n}`).join('\n'),
      { servers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] },
    ],
    ['what is no address', 'nameserver dns.example\nnameserver', { servers: [] }],
    [
      'the last of domain and search',
      'domain a.example\nsearch b.example c.example',
      { search: ['b.example', 'c.example'] },
    ],
    [
      'the last of search and domain',
      'search b.example c.example\ndomain a.example',
      { search: ['a.example'] },
    ],
    ['dots at the end, and the root', 'search a.example. .', { search: ['a.example', ''] }],
    ['options', 'options timeout:1 ndots:3 rotate\noptions edns0', { ndots: 3 }],
    ['more dots than there may be', 'options ndots:99', { ndots: 15 }],
    ['no number of dots', 'options ndots:x ndots: ndots', { ndots: 1 }],
  ])('%s', (_, text, expected) => {
    expect(parseResolvConf(text)).toMatchObject(expected);
  });
});

describe('namesToAsk', () => {
  const search = ['ns.svc.cluster.local', 'cluster.local'];

  test.each([
    [
      'fewer dots than ndots: the search list first',
      'registry.example',
      5,
      ['registry.example.ns.svc.cluster.local', 'registry.example.cluster.local', 'registry.example'],
    ],
    [
      'as many: as it is first',
      'registry.example',
      1,
      ['registry.example', 'registry.example.ns.svc.cluster.local', 'registry.example.cluster.local'],
    ],
    ['without dots', 'registry', 1, ['registry.ns.svc.cluster.local', 'registry.cluster.local', 'registry']],
    ['ndots:0', 'registry', 0, ['registry', 'registry.ns.svc.cluster.local', 'registry.cluster.local']],
    ['a dot at the end: as it is, and nothing else', 'registry.example.', 5, ['registry.example']],
  ])('%s', (_, name, ndots, expected) => {
    expect(namesToAsk(name, { servers: [], search, ndots })).toEqual(expected);
  });

  test('with the root in the list a name is asked for once', () => {
    expect(namesToAsk('a', { servers: [], search: ['', 'b'], ndots: 1 })).toEqual(['a', 'a.b']);
  });
});

describe('addressesInHosts', () => {
  const hosts = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost',
    '192.0.2.1 registry.example mirror # not-this',
    '192.0.2.2 Registry.Example',
    '192.0.2.1 registry.example',
    'nowhere registry.example',
  ].join('\n');

  test.each([
    ['localhost', ['127.0.0.1', '::1']],
    ['registry.example', ['192.0.2.1', '192.0.2.2']],
    ['MIRROR', ['192.0.2.1']],
    ['localhost.', []],
    ['not-this', []],
    ['192.0.2.1', []],
    ['', []],
  ])('%s', (name, expected) => {
    expect(addressesInHosts(hosts, name).map(({ address }) => address)).toEqual(expected);
  });

  test('with their family', () => {
    expect(addressesInHosts(hosts, 'localhost').map(({ family }) => family)).toEqual([4, 6]);
  });
});
