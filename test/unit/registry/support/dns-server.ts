// A DNS server on loopback that says what a test wants (RFC 1035 §4), and notes what it is asked.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { onEnd } from '../../../support/cleanup.ts';

/** Addresses of both families; silent: no answer at all. A name that is not there does not exist. */
export type Word = readonly string[] | 'silent' | 'servfail';

export interface DnsServer {
  /** `address:port`, for dnsResolve. */
  readonly address: string;
  /** `name type`, in the order of arrival. */
  readonly asked: readonly string[];
}

const types: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA' };
const servfail = 2;
const nxdomain = 3;

/** @param words by name, or by `name type` where one type has another word */
export async function dnsServer(words: Readonly<Record<string, Word>>): Promise<DnsServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, type, end } = questionOf(query);
    asked.push(`${name} ${types[type]}`);
    const word = words[`${name} ${types[type]}`] ?? words[name];
    if (word === 'silent') return;
    const code = word === undefined ? nxdomain : word === 'servfail' ? servfail : 0;
    const found = code === 0 ? (word as readonly string[]) : [];
    const answers = found
      .filter((each) => isIP(each) === (type === 1 ? 4 : 6))
      .map((each) => record(each, type));
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onEnd(() => socket.close());
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

function questionOf(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** For the name of the question, for five seconds. */
function record(address: string, type: number): Buffer {
  const data = type === 1 ? address.split('.').map(Number) : ipv6Bytes(address);
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 5, 0, data.length]);
  return Buffer.concat([head, Buffer.from(data)]);
}

function ipv6Bytes(address: string): readonly number[] {
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((each) => Number.parseInt(each, 16));
  const [left, right] = [groups(head), groups(tail)];
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]);
}
