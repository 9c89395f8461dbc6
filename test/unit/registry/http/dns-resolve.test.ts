// Against DNS servers on loopback that are silent, or wrong.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Resolve } from '../../../../src/registry/http/destination.ts';
import { type DnsResolveOptions, dnsResolve } from '../../../../src/registry/http/dns-resolve.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { until } from '../../../support/until.ts';
import { clientFor, codeOf } from '../support/client.ts';
import { type DnsServer, dnsServer, type Word } from '../support/dns-server.ts';
import { answer, serve } from '../support/server.ts';

const directory = await mkdtemp(join(tmpdir(), 'trellis-names-'));
onEnd(() => rm(directory, { recursive: true }));
let files = 0;

async function fileWith(text: string): Promise<string> {
  files += 1;
  const path = join(directory, String(files));
  await writeFile(path, text);
  return path;
}

/** No test can wait for it to pass. */
const forEver = 600_000;

interface Setting extends Omit<DnsResolveOptions, 'hosts' | 'resolvConf' | 'servers'> {
  readonly hosts?: string;
  readonly resolvConf?: string;
  readonly names?: Readonly<Record<string, Word>>;
  /** Asked before the one that has `names`. */
  readonly before?: readonly DnsServer[];
}

async function resolver({ hosts = '', resolvConf = '', names = {}, before = [], ...rest }: Setting) {
  const server = await dnsServer(names);
  const resolve = dnsResolve({
    hosts: await fileWith(hosts),
    resolvConf: await fileWith(resolvConf),
    servers: [...before, server].map(({ address }) => address),
    interfaces: both,
    timeoutMs: forEver,
    ...rest,
  });
  const look = async (name: string, signal?: AbortSignal) =>
    (await resolve(name, {}, signal)).map(({ address }) => address);
  return { server, resolve, look };
}

type Interfaces = ReturnType<typeof networkInterfaces>;

function having(...addresses: readonly string[]): () => Interfaces {
  return () => ({
    eth0: addresses.map((address) => ({
      ...{ address, netmask: '', mac: '', internal: address === '127.0.0.1', cidr: null },
      ...(address.includes(':') ? { family: 'IPv6', scopeid: 0 } : { family: 'IPv4' }),
    })) as NonNullable<Interfaces[string]>,
  });
}

const both = having('192.0.2.99', '2001:db8::99');

describe('names whose servers are silent', () => {
  const silent = Array.from({ length: 8 }, (_, n) => `silent${n}.example`);
  const names = {
    ...Object.fromEntries(silent.map((name) => [name, 'silent'] as const)),
    'registry.example': ['192.0.2.1'],
  };

  test('delay nobody else, and end when nobody wants them', async () => {
    const { look, server } = await resolver({ names });
    const controller = new AbortController();
    let ended = 0;
    const lookups = silent.map(async (name) => {
      try {
        return await look(name, controller.signal);
      } finally {
        ended += 1;
      }
    });
    const all = Promise.allSettled(lookups);
    await until('all to be asked for', () => silent.every((name) => server.asked.includes(`${name} A`)));
    expect(await look('registry.example')).toEqual(['192.0.2.1']);
    expect(ended).toBe(0);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await all).toEqual(silent.map(() => ({ status: 'rejected', reason })));
  });

  test('what is given up already is not asked for', async () => {
    const { look, server } = await resolver({ names });
    const reason = new Error('enough');
    await expect(look('registry.example', AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(server.asked).toEqual([]);
  });

  test('are left when time is over, for the next server', async () => {
    const before = [await dnsServer({ 'registry.example': 'silent' })];
    const { look } = await resolver({ names, before, timeoutMs: 50 });
    expect(await look('registry.example')).toEqual(['192.0.2.1']);
  });

  test('end when the last request for them is given up', async () => {
    const registry = await serve((_, response) => answer(response, 404));
    const { resolve, server } = await resolver({
      names: { ...names, 'registry.example': [registry.address] },
    });
    const ended: string[] = [];
    const noting: Resolve = async (host, ...rest) => {
      try {
        return await resolve(host, ...rest);
      } finally {
        ended.push(host);
      }
    };
    const client = clientFor([], {
      resolve: noting,
      plainHttp: [...silent, 'registry.example'],
      allowedAddresses: [registry.address],
      limits: { connectMs: forEver },
    });
    const ask = (host: string, signal?: AbortSignal) =>
      codeOf(
        client.resolve(
          { registry: `${host}:${registry.port}`, path: 'a/b', tag: 'v1', digest: undefined },
          signal,
        ),
      );
    const [first, second] = [new AbortController(), new AbortController()];
    const looks = silent.flatMap((host) => [ask(host, first.signal), ask(host, second.signal)]);
    await until('all to be asked for', () => silent.every((name) => server.asked.includes(`${name} A`)));
    first.abort();
    // As many more as libuv has threads, and none of them late.
    expect(await ask('registry.example')).toBe('ERR_REGISTRY_NOT_FOUND');
    expect(ended).toEqual(['registry.example']);
    second.abort();
    await Promise.all(looks);
    await until('the lookups to end', () => silent.every((name) => ended.includes(name)));
  });
});

describe('search', () => {
  const resolvConf = 'search ns.svc.cluster.local cluster.local\noptions ndots:5';

  test('names of the cluster, by their short names', async () => {
    const names = { 'registry.tools.cluster.local': ['10.0.0.1'] };
    const { look, server } = await resolver({ resolvConf, names });
    expect(await look('registry.tools')).toEqual(['10.0.0.1']);
    expect(new Set(server.asked.map((each) => each.split(' ')[0]))).toEqual(
      new Set(['registry.tools.ns.svc.cluster.local', 'registry.tools.cluster.local']),
    );
  });

  test('a name that is there without addresses does not end it', async () => {
    const names = { 'a.example.ns.svc.cluster.local': [], 'a.example': ['192.0.2.1'] };
    const { look } = await resolver({ resolvConf, names });
    expect(await look('a.example')).toEqual(['192.0.2.1']);
  });

  test('a dot at the end ends the name', async () => {
    const names = { 'a.example.cluster.local': ['10.0.0.1'], 'a.example': ['192.0.2.1'] };
    const { look, server } = await resolver({ resolvConf, names });
    expect(await look('a.example.')).toEqual(['192.0.2.1']);
    expect([...server.asked].sort()).toEqual(['a.example A', 'a.example AAAA']);
  });

  test('a server that fails for one name is asked for the next', async () => {
    const names = { 'a.example.cluster.local': 'servfail', 'a.example': ['192.0.2.1'] } as const;
    const { look } = await resolver({ resolvConf, names });
    expect(await look('a.example')).toEqual(['192.0.2.1']);
  });

  test('where nothing else is found that it failed is what is said', async () => {
    const names = { 'a.example.cluster.local': 'servfail' } as const;
    const { look } = await resolver({ resolvConf, names });
    expect(await codeOf(look('a.example'))).toBe('EAI_AGAIN');
    expect(await codeOf(look('b.example'))).toBe('ENOTFOUND');
  });

  test('a name that DNS cannot have is not there', async () => {
    const { look } = await resolver({ resolvConf });
    expect(await codeOf(look(`${'a'.repeat(64)}.example`))).toBe('ENOTFOUND');
  });

  test('no name is too long', async () => {
    const label = 'a'.repeat(60);
    const name = [label, label, label, label].join('.');
    const { look } = await resolver({ resolvConf, names: { [name]: ['192.0.2.1'] } });
    expect(await look(name)).toEqual(['192.0.2.1']);
  });
});

describe('servers', () => {
  test('one that fails is not the last word', async () => {
    const before = [await dnsServer({ 'a.example': 'servfail' })];
    const { look } = await resolver({ names: { 'a.example': ['192.0.2.1'] }, before });
    expect(await look('a.example')).toEqual(['192.0.2.1']);
  });

  test('one that says that there is nothing is', async () => {
    const before = [await dnsServer({})];
    const { look, server } = await resolver({ names: { 'a.example': ['192.0.2.1'] }, before });
    expect(await codeOf(look('a.example'))).toBe('ENOTFOUND');
    expect(server.asked).toEqual([]);
  });

  test('each is tried twice', async () => {
    const { look, server } = await resolver({ names: { 'a.example': 'servfail' } });
    expect(await codeOf(look('a.example'))).toBe('EAI_AGAIN');
    expect(server.asked.filter((each) => each === 'a.example A')).toHaveLength(2);
  });
});

describe('families', () => {
  const names = { 'a.example': ['2001:db8::1', '192.0.2.1', '192.0.2.2'] };

  test('both, IPv4 first', async () => {
    const { resolve } = await resolver({ names });
    expect(await resolve('a.example', {}, undefined)).toEqual([
      { address: '192.0.2.1', family: 4 },
      { address: '192.0.2.2', family: 4 },
      { address: '2001:db8::1', family: 6 },
    ]);
  });

  test.each([
    ['IPv4 alone', having('192.0.2.99'), ['192.0.2.1', '192.0.2.2']],
    ['IPv6 that leads nowhere', having('192.0.2.99', 'fe80::1'), ['192.0.2.1', '192.0.2.2']],
    ['IPv6 alone', having('2001:db8::99'), ['2001:db8::1']],
    ['no network', having('127.0.0.1'), ['192.0.2.1', '192.0.2.2', '2001:db8::1']],
  ])('where this machine has %s', async (_, interfaces, expected) => {
    const { look } = await resolver({ names, interfaces });
    expect(await look('a.example')).toEqual(expected);
  });

  test('one whose questions are not understood takes nothing from the other', async () => {
    const { look } = await resolver({ names: { ...names, 'a.example AAAA': 'servfail' } });
    expect(await look('a.example')).toEqual(['192.0.2.1', '192.0.2.2']);
  });

  test('a failure is not taken for no address', async () => {
    const { look } = await resolver({ names: { 'a.example': [], 'a.example AAAA': 'servfail' } });
    expect(await codeOf(look('a.example'))).toBe('EAI_AGAIN');
  });
});

describe('the hosts file', () => {
  const hosts = '127.0.0.1 localhost\n::1 localhost\n192.0.2.7 a.example\n2001:db8::7 six.example';

  test('goes before DNS', async () => {
    const { look, server } = await resolver({ hosts, names: { 'a.example': ['192.0.2.1'] } });
    expect(await look('a.example')).toEqual(['192.0.2.7']);
    expect(await look('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(server.asked).toEqual([]);
  });

  test('with what this machine can connect to', async () => {
    const names = { 'six.example': ['192.0.2.1'] };
    const { look } = await resolver({ hosts, names, interfaces: having('192.0.2.99') });
    expect([await look('localhost'), await look('six.example')]).toEqual([['127.0.0.1'], ['192.0.2.1']]);
  });

  test('is read anew', async () => {
    const path = await fileWith(hosts);
    const { resolve } = await resolver({ names: {} });
    const server = await dnsServer({ 'a.example': ['192.0.2.1'] });
    const look = dnsResolve({
      hosts: path,
      resolvConf: await fileWith(''),
      servers: [server.address],
      interfaces: both,
    });
    expect(await look('a.example', {}, undefined)).toEqual([{ address: '192.0.2.7', family: 4 }]);
    await writeFile(path, '');
    expect(await look('a.example', {}, undefined)).toEqual([{ address: '192.0.2.1', family: 4 }]);
    expect(await codeOf(Promise.resolve(resolve('a.example', {}, undefined)))).toBe('ENOTFOUND');
  });

  test('that is too large is an error, and none is none', async () => {
    const { look } = await resolver({ hosts: '# '.padEnd(256 * 1024 + 1, 'x') });
    await expect(look('a.example')).rejects.toThrow('larger than');
    const server = await dnsServer({ 'a.example': ['192.0.2.1'] });
    const absent = join(directory, 'absent');
    const without = dnsResolve({
      hosts: absent,
      resolvConf: absent,
      servers: [server.address],
      interfaces: both,
    });
    expect(await without('a.example', {}, undefined)).toHaveLength(1);
  });
});

test('an address is its own', async () => {
  const { look, server } = await resolver({});
  expect([await look('192.0.2.1'), await look('2001:db8::1')]).toEqual([['192.0.2.1'], ['2001:db8::1']]);
  expect(server.asked).toEqual([]);
});

test('of thousands of addresses some are taken', async () => {
  const many = Array.from({ length: 60 }, (_, n) => `192.0.2.${n}`);
  const { look } = await resolver({ names: { 'a.example': many } });
  expect(await look('a.example')).toEqual(many.slice(0, 32));
});

test.each([
  ['the metadata service', { 'evil.example': ['169.254.169.254'] }, ''],
  ['the metadata service among others', { 'evil.example': ['192.0.2.1', '::ffff:a9fe:a9fe'] }, ''],
  ['this machine by the hosts file', {}, '127.0.0.1 evil.example'],
  ['this machine by a search domain', { 'evil.example.ns.example': ['127.0.0.1'] }, ''],
])('names that lead to %s are not connected to', async (_, names, hosts) => {
  const resolvConf = 'search ns.example\noptions ndots:5';
  const { resolve } = await resolver({ names, hosts, resolvConf });
  const client = clientFor([], { resolve });
  const reference = { registry: 'evil.example', path: 'a/b', tag: 'v1', digest: undefined };
  expect(await codeOf(client.resolve(reference))).toBe('ERR_REGISTRY_ADDRESS');
});
