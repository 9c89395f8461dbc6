import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { DeltaDiscoveryRequestSchema } from '../../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { decodeDiscoveryRequest } from '../../../src/xds/discovery-request.ts';

const names = (count: number, prefix = 'outbound') =>
  Array.from({ length: count }, (_, i) => `${prefix}|80|service-${i}`);

const message = (resourceNamesSubscribe: string[], typeUrl = 'type'): Uint8Array =>
  toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, { typeUrl, resourceNamesSubscribe }),
  );

describe('a request that came before', () => {
  test('in the same bytes is the same list of names', () => {
    const first = decodeDiscoveryRequest(message(names(100)));
    expect(first.subscribe).toEqual(names(100));
    expect(decodeDiscoveryRequest(message(names(100))).subscribe).toBe(first.subscribe);
  });

  test.each([
    ['one more name', message([...names(100), 'more']), [...names(100), 'more'], 'type'],
    ['one name less', message(names(99)), names(99), 'type'],
    [
      'another last name',
      message([...names(99), 'outbound|80|service-9x']),
      [...names(99), 'outbound|80|service-9x'],
      'type',
    ],
    ['another type', message(names(100), 'epyt'), names(100), 'epyt'],
  ])('with %s is another request', (_, bytes, subscribe, typeUrl) => {
    decodeDiscoveryRequest(message(names(100)));
    expect(decodeDiscoveryRequest(bytes)).toMatchObject({ subscribe, typeUrl });
  });

  test('stays what it was when its buffer is used again', () => {
    const bytes = message(names(100, 'mine'));
    decodeDiscoveryRequest(bytes);
    bytes.set(message(names(100, 'your')));
    expect(decodeDiscoveryRequest(bytes).subscribe).toEqual(names(100, 'your'));
    expect(decodeDiscoveryRequest(message(names(100, 'mine'))).subscribe).toEqual(names(100, 'mine'));
  });

  test('is forgotten after a few others, and when it was short or very long', () => {
    const isKnown = (bytes: Uint8Array, between: () => void = () => {}): boolean => {
      const { subscribe } = decodeDiscoveryRequest(bytes);
      between();
      return decodeDiscoveryRequest(bytes).subscribe === subscribe;
    };
    let other = 0;
    const others = (count: number) => () => {
      for (let i = 0; i < count; i++) decodeDiscoveryRequest(message(names(100, `other-${other++}`)));
    };
    expect(isKnown(message(names(100, 'a')), others(3))).toBe(true);
    expect(isKnown(message(names(100, 'b')), others(4))).toBe(false);
    expect(isKnown(message(names(10)))).toBe(false);
    expect(isKnown(message(names(1100, 'x'.repeat(1000))))).toBe(false);
  });
});
