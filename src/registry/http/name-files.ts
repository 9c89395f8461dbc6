// What a container's files say of names: hosts(5) and resolv.conf(5), as glibc reads them.

import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';

export interface ResolvConf {
  /** Addresses of DNS servers. */
  readonly servers: readonly string[];
  /** Domains, without dots at their ends; empty: the root. */
  readonly search: readonly string[];
  /** A name with fewer dots is looked for in the search list first. */
  readonly ndots: number;
}

/** MAXNS and RES_MAXNDOTS of resolv.conf(5). */
const maxServers = 3;
const maxNdots = 15;

export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const [keyword, ...values] of linesOf(text, /[#;]/)) {
    const [value = ''] = values;
    if (keyword === 'nameserver' && isIP(value) !== 0) servers.push(value);
    // The last of these lines is the one that counts.
    if (keyword === 'search') search = values.map(withoutDot);
    if (keyword === 'domain') search = [withoutDot(value)];
    if (keyword !== 'options') continue;
    for (const option of values) {
      const [, dots] = /^ndots:(\d{1,9})$/.exec(option) ?? [];
      if (dots !== undefined) ndots = Math.min(Number(dots), maxNdots);
    }
  }
  return { servers: servers.slice(0, maxServers), search, ndots };
}

/** The whole names that a name may stand for, in the order in which they are asked for, without dots at their ends. */
export function namesToAsk(name: string, { search, ndots }: ResolvConf): readonly string[] {
  const bare = withoutDot(name);
  if (bare !== name) return [bare];
  const searched = search.map((domain) => (domain === '' ? name : `${name}.${domain}`));
  const dots = name.split('.').length - 1;
  return [...new Set(dots >= ndots ? [name, ...searched] : [...searched, name])];
}

/** The addresses that a hosts file gives for a name, in its order. */
export function addressesInHosts(text: string, name: string): readonly LookupAddress[] {
  const wanted = name.toLowerCase();
  const found = new Set<string>();
  for (const [address = '', ...names] of linesOf(text, /#/)) {
    if (isIP(address) !== 0 && names.some((each) => each.toLowerCase() === wanted)) found.add(address);
  }
  return [...found].map((address) => ({ address, family: isIP(address) }));
}

/** The words of each line. */
function linesOf(text: string, comment: RegExp): readonly (readonly string[])[] {
  return text.split('\n').map((line) => (line.split(comment, 1)[0] ?? '').trim().split(/\s+/));
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
