// Discovery requests come from proxies: they are what the generated code reads from the same bytes, or refused.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeltaDiscoveryRequestSchema } from '../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { GrpcError } from '../../src/grpc/status.ts';
import { type DiscoveryRequest, decodeDiscoveryRequest } from '../../src/xds/discovery-request.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedBytes } from './support/mutations.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });

const fields = fc.record({
  typeUrl: text,
  resourceNamesSubscribe: fc.array(text),
  resourceNamesUnsubscribe: fc.array(text),
  initialResourceVersions: fc.dictionary(text, text),
  responseNonce: text,
  node: fc.option(fc.record({ id: text, cluster: text, userAgentName: text }), { nil: undefined }),
  errorDetail: fc.option(fc.record({ code: fc.nat(), message: text }), { nil: undefined }),
});

type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never;

function encode({ node, errorDetail, ...others }: Fields): Uint8Array {
  return toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, {
      ...others,
      ...(node === undefined ? {} : { node }),
      ...(errorDetail === undefined ? {} : { errorDetail }),
    }),
  );
}

const encoded = fields.map(encode);
const withoutNode = fields.map((each) => encode({ ...each, node: undefined }));

/** What the generated code finds in the bytes; undefined when it refuses them. */
function generated(bytes: Uint8Array): DiscoveryRequest | undefined {
  try {
    const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
    return {
      typeUrl: request.typeUrl,
      subscribe: request.resourceNamesSubscribe,
      unsubscribe: request.resourceNamesUnsubscribe,
      initialVersions: new Map(Object.entries(request.initialResourceVersions)),
      nonce: request.responseNonce,
      error: request.errorDetail?.message,
    };
  } catch {
    return undefined;
  }
}

function decoded(bytes: Uint8Array): DiscoveryRequest | undefined {
  try {
    return decodeDiscoveryRequest(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(GrpcError);
    return undefined;
  }
}

/**
 * Whether every field that is looked at has its declared wire type and ends where the message around it ends (those of the
 * messages in fields 5 and 7 too), and there is no node: the generated code goes on in all of these cases, ours refuses or skips.
 */
function isWellFormed(bytes: Uint8Array): boolean {
  try {
    return hasDeclaredTypes(bytes);
  } catch {
    return false;
  }
}

const lengthDelimited = WireType.LengthDelimited;
const entry = new Map([1, 2].map((field) => [field, lengthDelimited]));
const rpcStatus = new Map([...entry, [1, WireType.Varint], [3, lengthDelimited]]);
const request = new Map(Array.from({ length: 9 }, (_, index) => [index + 1, lengthDelimited]));

function hasDeclaredTypes(bytes: Uint8Array, types: ReadonlyMap<number, WireType> = request): boolean {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const isNode = types === request && field === 1;
    if (isNode || (types.has(field) && types.get(field) !== wireType)) return false;
    const inner =
      types === request && field === 5 ? entry : types === request && field === 7 ? rpcStatus : undefined;
    if (inner === undefined) reader.skip(wireType, field);
    else if (!hasDeclaredTypes(reader.bytes(), inner)) return false;
  }
  return true;
}

describe('decodeDiscoveryRequest', () => {
  test('reads what the generated code writes, as the generated code does', () => {
    fc.assert(
      fc.property(encoded, (bytes) => {
        expect(decodeDiscoveryRequest(bytes)).toEqual(generated(bytes));
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('never reads anything else from bytes that the generated code reads too', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), mutatedBytes(encoded), mutatedBytes(withoutNode)),
        (bytes) => {
          const ours = decoded(bytes);
          const theirs = generated(bytes);
          // Names over a limit are refused here, and names that are no UTF-8 there: either may refuse alone.
          if (ours !== undefined && theirs !== undefined && isWellFormed(bytes)) expect(ours).toEqual(theirs);
        },
      ),
      { numRuns: fuzzRuns(1_000) },
    );
  });

  test('of a message that is cut off, refuses what the generated code refuses', () => {
    const cut = fc.tuple(encoded, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)));
    fc.assert(
      fc.property(cut, (bytes) => {
        const [ours, theirs] = [decoded(bytes), generated(bytes)];
        expect(ours).toEqual(theirs);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('holds no more than came in', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), mutatedBytes(encoded)), (bytes) => {
        const request = decoded(bytes);
        if (request === undefined) return;
        const { subscribe, unsubscribe, initialVersions, typeUrl, nonce, error = '' } = request;
        const texts = [...subscribe, ...unsubscribe, ...[...initialVersions].flat(), typeUrl, nonce, error];
        expect(texts.join('').length).toBeLessThanOrEqual(bytes.length);
        // Each takes a tag and a length at least.
        expect(subscribe.length + unsubscribe.length + initialVersions.size).toBeLessThanOrEqual(
          bytes.length / 2,
        );
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
