// gRPC frames: however the bytes are cut into chunks, the messages are those of the plainest reader.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frame, MessageDecoder } from '../../src/grpc/framing.ts';
import { GrpcError } from '../../src/grpc/status.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedBytes } from './support/mutations.ts';

const headerBytes = 5;
const maxMessageBytes = 100;

/** The specification ("gRPC over HTTP2", Length-Prefixed-Message) with all the bytes at once. */
function reference(bytes: Buffer): {
  readonly messages: Buffer[];
  readonly end: 'whole' | 'partial' | 'refused';
} {
  const messages: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= headerBytes) {
    const length = bytes.readUInt32BE(at + 1);
    if (bytes[at] !== 0 || length > maxMessageBytes) return { messages, end: 'refused' };
    if (bytes.length - at - headerBytes < length) break;
    messages.push(bytes.subarray(at + headerBytes, at + headerBytes + length));
    at += headerBytes + length;
  }
  return { messages, end: at === bytes.length ? 'whole' : 'partial' };
}

/** Cuts at the given offsets. */
function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const offsets = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...offsets].map((from, i) => bytes.subarray(from, offsets[i] ?? bytes.length));
}

const stream = fc
  .array(fc.uint8Array({ maxLength: maxMessageBytes + 2 }), { maxLength: 10 })
  .map((messages) => Buffer.concat(messages.map((message) => frame(message))));
const bytes = fc.oneof(
  stream,
  mutatedBytes(stream),
  fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each)),
);
const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe('MessageDecoder', () => {
  test('gives the messages of the plainest reader, or refuses where it does', () => {
    fc.assert(
      fc.property(bytes, cuts, (wire, at) => {
        const expected = reference(wire);
        const decoder = new MessageDecoder(maxMessageBytes);
        const received: Buffer[] = [];
        let refused = false;
        try {
          for (const chunk of chunksOf(wire, at)) received.push(...decoder.push(chunk));
        } catch (error) {
          expect(error).toBeInstanceOf(GrpcError);
          refused = true;
        }
        expect(refused).toBe(expected.end === 'refused');
        if (refused) {
          // Messages in the chunk of the bad frame are lost with it; those before it have arrived.
          expect(expected.messages.slice(0, received.length)).toEqual(received);
          return;
        }
        expect(received).toEqual(expected.messages);
        expect(decoder.partial).toBe(expected.end === 'partial');
      }),
      { numRuns: fuzzRuns(1_000) },
    );
  });

  test('holds no more of a message under way than twice what arrived of it', () => {
    const first = 4096;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 * 1024 * 1024 }),
        fc.integer({ min: 1, max: 20_000 }),
        (claimed, sent) => {
          const header = frame(Buffer.alloc(0));
          header.writeUInt32BE(claimed, 1);
          const decoder = new MessageDecoder(64 * 1024 * 1024);
          const before = process.memoryUsage().arrayBuffers;
          const body = Buffer.alloc(Math.min(sent, claimed - 1));
          decoder.push(Buffer.concat([header, body]));
          const grown = process.memoryUsage().arrayBuffers - before;
          expect(grown).toBeLessThanOrEqual(Math.max(first, body.length * 2) + body.length * 2 + 64 * 1024);
        },
      ),
      { numRuns: fuzzRuns(50) },
    );
  });
});
