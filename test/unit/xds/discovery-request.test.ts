import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { DeltaDiscoveryRequestSchema } from '../../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { status } from '../../../src/grpc/status.ts';
import { decodeDiscoveryRequest, maxNamesPerRequest } from '../../../src/xds/discovery-request.ts';

describe('decodeDiscoveryRequest', () => {
  test('a node that is no message at all is skipped: it is not looked at', () => {
    const writer = new BinaryWriter();
    writer.tag(1, WireType.LengthDelimited).bytes(new Uint8Array([0xff, 0xff, 0xff]));
    writer.tag(2, WireType.LengthDelimited).string('type');
    expect(decodeDiscoveryRequest(writer.finish()).typeUrl).toBe('type');
  });

  const request = (fields: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]) =>
    toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields));

  test('an empty error is an error: its presence makes the request a rejection', () => {
    expect(decodeDiscoveryRequest(request({ errorDetail: {} })).error).toBe('');
    expect(decodeDiscoveryRequest(request({})).error).toBeUndefined();
  });

  test('a long error is cut: it goes to logs', () => {
    const { error } = decodeDiscoveryRequest(request({ errorDetail: { message: 'x'.repeat(100_000) } }));
    expect(error).toHaveLength(4096);
  });

  test.each([
    [
      'too many names',
      request({ resourceNamesSubscribe: Array(maxNamesPerRequest + 1).fill('') }),
      status.resourceExhausted,
    ],
    [
      'too many over all lists',
      request({
        resourceNamesSubscribe: Array(maxNamesPerRequest / 2 + 1).fill(''),
        resourceNamesUnsubscribe: Array(maxNamesPerRequest / 2).fill(''),
      }),
      status.resourceExhausted,
    ],
    ['a very long name', request({ resourceNamesSubscribe: ['x'.repeat(1025)] }), status.invalidArgument],
    [
      'a very long version',
      request({ initialResourceVersions: { a: 'x'.repeat(1025) } }),
      status.invalidArgument,
    ],
    ['a locator', request({ resourceLocatorsSubscribe: [{ name: 'a' }] }), status.invalidArgument],
    ['a cut', request({ typeUrl: 'type' }).subarray(0, 3), status.invalidArgument],
    ['a number for a name', new Uint8Array([0x18, 1]), status.invalidArgument],
    ['groups without end', new Uint8Array(200_000).fill(0x7b), status.invalidArgument],
  ])('%s is refused', (_, bytes, code) => {
    expect(() => decodeDiscoveryRequest(bytes)).toThrow(expect.objectContaining({ code }));
  });
});
