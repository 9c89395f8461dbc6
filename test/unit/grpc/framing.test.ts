import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frame, frameHeader, MessageDecoder, onlyMessage } from '../../../src/grpc/framing.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';

const max = 1000;

/** The specification in its plainest form: all the bytes at once. */
function referenceDecode(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return messages;
}

/** Cuts at the given offsets. */
function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const offsets = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...offsets].map((from, i) => bytes.subarray(from, offsets[i] ?? bytes.length));
}

describe('MessageDecoder', () => {
  test('any chunking gives the messages that were framed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (sent, cuts) => {
          const wire = Buffer.concat(sent.map((message) => frame(message)));
          const decoder = new MessageDecoder(max);
          const received = chunksOf(wire, cuts).flatMap((chunk) => decoder.push(chunk));
          expect(received).toEqual(sent.map((message) => Buffer.from(message)));
          expect(received).toEqual(referenceDecode(wire));
          expect(decoder.partial).toBe(false);
        },
      ),
    );
  });

  test('byte by byte', () => {
    const wire = Buffer.concat([
      frame(Buffer.from('one')),
      frame(Buffer.alloc(0)),
      frame(Buffer.from('three')),
    ]);
    const decoder = new MessageDecoder(max);
    const received = [...wire].flatMap((byte) => decoder.push(Buffer.from([byte])));
    expect(received.map(String)).toEqual(['one', '', 'three']);
  });

  test('arbitrary bytes give messages within the limit or a GrpcError, never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
        const decoder = new MessageDecoder(max);
        try {
          for (const chunk of chunks) {
            for (const message of decoder.push(Buffer.from(chunk)))
              expect(message.length).toBeLessThanOrEqual(max);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(GrpcError);
        }
      }),
    );
  });

  test('a message of the limit passes, one byte more is refused before its body arrives', () => {
    const decoder = new MessageDecoder(max);
    expect(decoder.push(frame(Buffer.alloc(max)))).toHaveLength(1);
    expect(() => decoder.push(frameHeader(max + 1))).toThrow(
      expect.objectContaining({ code: status.resourceExhausted }),
    );
  });

  test('compression is refused as unimplemented, any other flag as garbage', () => {
    const flagged = (flag: number) => () => new MessageDecoder(max).push(Buffer.from([flag, 0, 0, 0, 0]));
    expect(flagged(1)).toThrow(expect.objectContaining({ code: status.unimplemented }));
    expect(flagged(2)).toThrow(expect.objectContaining({ code: status.internal }));
  });

  test('a claimed length costs no memory until its bytes arrive', () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => {
      const decoder = new MessageDecoder(64 * 1024 * 1024);
      decoder.push(Buffer.concat([frameHeader(64 * 1024 * 1024), Buffer.from('x')]));
      return decoder;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    expect(decoders.every((decoder) => decoder.partial)).toBe(true);
  });

  test('an end inside a header or a body is partial', () => {
    const decoder = new MessageDecoder(max);
    decoder.push(frame(Buffer.from('whole')).subarray(0, 3));
    expect(decoder.partial).toBe(true);
    decoder.push(frame(Buffer.from('whole')).subarray(3, 7));
    expect(decoder.partial).toBe(true);
    decoder.push(frame(Buffer.from('whole')).subarray(7));
    expect(decoder.partial).toBe(false);
  });
});

describe('onlyMessage', () => {
  test('sees what the decoder sees when a chunk is one message, and nothing in any other chunk', () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 8 }).map((message) => frame(message)),
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }))
        .map(([one, two]) => Buffer.concat([frame(one), frame(two)])),
      fc.uint8Array({ minLength: 1, maxLength: 8 }).map((message) => frame(message).subarray(0, -1)),
    );
    fc.assert(
      fc.property(chunk, (bytes) => {
        const decoder = new MessageDecoder(5);
        let decoded: Buffer[] = [];
        try {
          decoded = decoder.push(bytes);
        } catch {
          // Refused, which the fast path leaves to the decoder.
        }
        const one = decoded.length === 1 && !decoder.partial ? decoded[0] : undefined;
        expect(onlyMessage(bytes, 5)).toEqual(one);
      }),
    );
  });
});
