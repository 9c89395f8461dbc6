import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Cluster_DiscoveryType,
  ClusterSchema,
} from '../../../src/gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import { DeltaDiscoveryResponseSchema } from '../../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { encodeResponseHead } from '../../../src/xds/discovery-response.ts';
import { ResourceEncoder } from '../../../src/xds/encode.ts';
import { type EncodedResource, typeUrls } from '../../../src/xds/resources.ts';
import { cluster, endpoints, listener, route } from './support.ts';

describe('encoded resources', () => {
  test.each([
    ['listener', listener, typeUrls.listener],
    ['route', route, typeUrls.route],
    ['cluster', cluster, typeUrls.cluster],
    ['endpoints', endpoints, typeUrls.endpoint],
  ] as const)('a head and any number of them are one DeltaDiscoveryResponse: %s', (_, make, typeUrl) => {
    const resources = Array.from({ length: 300 }, (_, i) => make(`name-${i}`, 'x'.repeat(i)));
    const head = encodeResponseHead({
      typeUrl,
      nonce: '7',
      systemVersion: 'abc.def',
      removed: ['gone', 'away'],
    });
    const response = fromBinary(
      DeltaDiscoveryResponseSchema,
      Buffer.concat([head, ...resources.map(({ bytes }) => bytes)]),
    );
    expect(response).toMatchObject({
      typeUrl,
      nonce: '7',
      systemVersionInfo: 'abc.def',
      removedResources: ['gone', 'away'],
    });
    expect(response.resources.map(({ name, version }) => ({ name, version }))).toEqual(
      resources.map(({ name, version }) => ({ name, version })),
    );
    expect(response.resources.every(({ resource }) => resource?.typeUrl === typeUrl)).toBe(true);
  });

  test('the resource inside is the one that was given', () => {
    const message = create(ClusterSchema, { name: 'c', altStatName: 'content' });
    const response = fromBinary(DeltaDiscoveryResponseSchema, new ResourceEncoder().encode(message).bytes);
    const inside = fromBinary(ClusterSchema, response.resources[0]?.resource?.value ?? new Uint8Array());
    expect(inside).toEqual(message);
  });

  test('a cluster says where its endpoints are, when they come by EDS', () => {
    const encode = (init: MessageInitShape<typeof ClusterSchema>) =>
      new ResourceEncoder().encode(create(ClusterSchema, { name: 'c', ...init })).endpoints;
    const type = (value: Cluster_DiscoveryType) => ({
      clusterDiscoveryType: { case: 'type' as const, value },
    });
    expect(encode(type(Cluster_DiscoveryType.EDS))).toBe('c');
    expect(encode({ ...type(Cluster_DiscoveryType.EDS), edsClusterConfig: { serviceName: 's' } })).toBe('s');
    expect(
      encode({ ...type(Cluster_DiscoveryType.STRICT_DNS), edsClusterConfig: { serviceName: 's' } }),
    ).toBeUndefined();
    expect(listener('c').endpoints).toBeUndefined();
  });

  test('the same content is the same object, from one encoder; the same version, from any', () => {
    const encoder = new ResourceEncoder();
    const make = () => encoder.encode(create(ClusterSchema, { name: 'c', altStatName: 'x' }));
    expect(make()).toBe(make());
    expect(new ResourceEncoder().encode(create(ClusterSchema, { name: 'c', altStatName: 'x' })).version).toBe(
      make().version,
    );
  });

  test('a message that is encoded again is not looked at again', () => {
    const encoder = new ResourceEncoder();
    const message = create(ClusterSchema, { name: 'c', altStatName: 'x' });
    const encoded = encoder.encode(message);
    Object.defineProperty(message, 'altStatName', { get: () => expect.fail('it was read') });
    expect(encoder.encode(message)).toBe(encoded);
  });

  test('another content, another name and another type are another version', () => {
    const versions = [cluster('c', 'x'), cluster('c', 'y'), cluster('d', 'x'), listener('c', 'x')].map(
      ({ version }) => version,
    );
    expect(new Set(versions).size).toBe(versions.length);
  });

  test('two contents under one name do not push each other out', () => {
    const one = cluster('inbound', 'of one pod');
    const other = cluster('inbound', 'of another');
    expect([cluster('inbound', 'of one pod'), cluster('inbound', 'of another')]).toEqual([one, other]);
    expect(cluster('inbound', 'of one pod')).toBe(one);
  });

  test('maps and structs are encoded in the order of their keys, whatever order they were made in', () => {
    type Tree = { [key: string]: Tree | string };
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.dictionary(fc.string({ maxLength: 4 }), fc.oneof({ maxDepth: 3 }, fc.string(), tie('tree')), {
        maxKeys: 5,
      }) as fc.Arbitrary<Tree>,
    }));
    const reversed = (value: Tree | string): Tree | string =>
      typeof value === 'string'
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, inner]) => [key, reversed(inner)]),
          );
    const encode = (filterMetadata: { [key: string]: Tree }): EncodedResource =>
      new ResourceEncoder().encode(create(ClusterSchema, { name: 'c', metadata: { filterMetadata } }));
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 4 }), tree, { maxKeys: 5 }), (metadata) => {
        const before = JSON.stringify(metadata);
        const forwards = encode(metadata);
        const backwards = encode(reversed(metadata) as { [key: string]: Tree });
        expect(backwards.version).toBe(forwards.version);
        expect(JSON.stringify(metadata)).toBe(before);
      }),
    );
  });

  test('sorting changes nothing but the order', () => {
    const message = create(ClusterSchema, {
      name: 'c',
      metadata: { filterMetadata: { z: { b: [{ y: 1, x: null }], a: true }, a: {} } },
      clusterDiscoveryType: { case: 'type', value: 3 },
    });
    const response = fromBinary(DeltaDiscoveryResponseSchema, new ResourceEncoder().encode(message).bytes);
    expect(fromBinary(ClusterSchema, response.resources[0]?.resource?.value ?? new Uint8Array())).toEqual(
      message,
    );
  });
});
