// Addresses that a registry, a redirect or a name of somebody else's choosing must not lead us to: services that answer
// whoever can reach them, because only this machine or this cloud instance can.

import { BlockList, isIP } from 'node:net';

export type AddressKind =
  /** Everything else, private networks included: registries and their storage are often there. */
  | 'ordinary'
  | 'loopback'
  /** Link-local, metadata services, and what is no address of one machine. */
  | 'forbidden';

const loopback = blockList(['127.0.0.0/8', '::1/128']);

const forbidden = blockList([
  // RFC 1122 §3.2.1.3 "this network"; Linux connects it to loopback.
  '0.0.0.0/8',
  '::/128',
  // Link-local (RFC 3927, RFC 4291 §2.5.6): where clouds put 169.254.169.254.
  '169.254.0.0/16',
  'fe80::/10',
  // Site-local, abandoned (RFC 3879); virtual machines reach their host by it.
  'fec0::/10',
  // Multicast, reserved and broadcast.
  '224.0.0.0/3',
  'ff00::/8',
  // Metadata services outside of link-local: AWS, Google, Alibaba, Oracle, Azure.
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
]);

/** What an IP address is, whatever IPv6 form it hides in. Anything that is no address is forbidden. */
export function kindOfAddress(address: string): AddressKind {
  const plain = withoutZone(address);
  const family = isIP(plain);
  if (family === 0) return 'forbidden';
  const groups = family === 6 ? groupsOf(plain) : [];
  const inside = family === 6 ? embeddedIpv4(groups) : undefined;
  if (inside !== undefined) return kindOfAddress(inside);
  // A tunnel to loopback ends at the other end's, and is nothing that names this machine.
  if (family === 6 && tunnelled(groups).some((each) => kindOfAddress(each) !== 'ordinary'))
    return 'forbidden';
  const type = family === 6 ? 'ipv6' : 'ipv4';
  if (loopback.check(plain, type)) return 'loopback';
  return forbidden.check(plain, type) ? 'forbidden' : 'ordinary';
}

/** @param networks addresses and networks, as `10.0.0.1` and `10.0.0.0/8` */
export function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const type = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (type === 'ipv6' ? 128 : 32) : Number(bits), type);
  }
  return list;
}

/** Whether `address`, in whatever form, is in the list. */
export function isIn(list: BlockList, address: string): boolean {
  const plain = withoutZone(address);
  const family = isIP(plain);
  if (family === 0) return false;
  return list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? '';
}

/** IPv4 inside IPv6: mapped and compatible (RFC 4291 §2.5.5), NAT64 (RFC 6052), 6to4 (RFC 3056). */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const [first = 0, second = 0, third = 0, , , sixth = 0, seventh = 0, eighth = 0] = groups;
  const leadingZeros = groups.findIndex((group) => group !== 0);
  const isMapped = leadingZeros === 5 && sixth === 0xffff;
  // ::1 and :: are themselves, not 0.0.0.1.
  const isCompatible = leadingZeros >= 6 && !(seventh === 0 && eighth <= 1);
  const isNat64 = first === 0x64 && second === 0xff9b;
  if (isMapped || isCompatible || isNat64) return dotted(seventh, eighth);
  return first === 0x2002 ? dotted(second, third) : undefined;
}

/** IPv4 that translators and tunnels take out of IPv6: SIIT (RFC 2765 §2.1), ISATAP (RFC 5214 §6.1), Teredo (RFC 4380 §4). */
function tunnelled(groups: readonly number[]): readonly string[] {
  const [first, second, third = 0, fourth = 0, fifth = 0, sixth, seventh = 0, eighth = 0] = groups;
  const last = dotted(seventh, eighth);
  const isTranslated = groups.findIndex((group) => group !== 0) === 4 && fifth === 0xffff && sixth === 0;
  // With and without the bit that says the IPv4 address is unique in the world.
  const isIsatap = (fifth === 0 || fifth === 0x200) && sixth === 0x5efe;
  // The server, and the client's address with its bits turned over.
  const isTeredo = first === 0x2001 && second === 0;
  return [
    ...(isTranslated || isIsatap ? [last] : []),
    ...(isTeredo ? [dotted(third, fourth), dotted(seventh ^ 0xffff, eighth ^ 0xffff)] : []),
  ];
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): readonly number[] {
  // A URL has one spelling for each address: no dotted end, and :: at most once.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [left, right] = [parse(head), parse(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...new Array<number>(zeros).fill(0), ...right];
}
