import { describe, expect, test } from 'vitest';
import { blockList, isIn, kindOfAddress } from '../../../../src/registry/http/addresses.ts';

describe('kindOfAddress', () => {
  test.each([
    '1.1.1.1',
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '2001:db8::1',
    'fd00::1',
    '::ffff:10.0.0.1',
    '::ffff:0:10.0.0.1',
    '2001:db8::5efe:10.0.0.1',
    '2001:0:101:101::fefe:fefe',
    '2002:a00:1::',
    '64:ff9b::a00:1',
    '2001:db8::a9fe:a9fe',
  ])('%s is ordinary: registries are in private networks too', (address) => {
    expect(kindOfAddress(address)).toBe('ordinary');
  });

  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:7f00:0001',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
  ])('%s is loopback', (address) => {
    expect(kindOfAddress(address)).toBe('loopback');
  });

  test.each([
    ['the metadata service', '169.254.169.254'],
    ['the metadata service of ECS', '169.254.170.2'],
    ['the metadata service, mapped', '::ffff:169.254.169.254'],
    ['the metadata service, mapped, in hexadecimal', '::ffff:a9fe:a9fe'],
    ['the metadata service by NAT64', '64:ff9b::a9fe:a9fe'],
    ['the metadata service by 6to4', '2002:a9fe:a9fe::'],
    ['the metadata service, compatible', '::a9fe:a9fe'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ["AWS's metadata service by IPv6", 'fd00:ec2::254'],
    ["Google's metadata service by IPv6", 'fd20:ce::254'],
    ["Alibaba's metadata service", '100.100.100.200'],
    ["Oracle's metadata service", '192.0.0.192'],
    ["Azure's wire server", '168.63.129.16'],
    ['this network', '0.0.0.0'],
    ['this network, mapped', '::ffff:0.0.0.0'],
    ['unspecified', '::'],
    ['multicast', '224.0.0.1'],
    ['multicast by IPv6', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['the metadata service by SIIT', '::ffff:0:169.254.169.254'],
    ['loopback by SIIT', '::ffff:0:7f00:1'],
    ['the metadata service by ISATAP', '2001:db8::5efe:169.254.169.254'],
    ['loopback by ISATAP of a unique address', 'fd00::200:5efe:7f00:1'],
    ['a Teredo client at the metadata service', '2001:0:101:101::5601:5601'],
    ['a Teredo server on loopback', '2001:0:7f00:1::fefe:fefe'],
    ['site-local', 'fec0::2'],
    ['no address', 'localhost'],
    ['nothing', ''],
  ])('%s is forbidden', (_, address) => {
    expect(kindOfAddress(address)).toBe('forbidden');
  });
});

describe('isIn', () => {
  const list = blockList(['10.0.0.0/8', '192.168.1.1', 'fd00::/8', '::1']);

  test.each(['10.1.2.3', '192.168.1.1', 'fd12::1', '::1', '::ffff:10.1.2.3'])('%s', (address) => {
    expect(isIn(list, address)).toBe(true);
  });

  test.each(['11.0.0.1', '192.168.1.2', 'fe00::1', '::2', 'localhost', ''])('not %s', (address) => {
    expect(isIn(list, address)).toBe(false);
  });
});
