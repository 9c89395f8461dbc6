// What the load generators send and read.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { benchPolicy, benchRequests, requirementOf } from '../../../bench/authz/scenario.ts';
import { marker, Template } from '../../../bench/measure/template.ts';
import { ResponseScanner, type ScannedResponse } from '../../../bench/xds/response-scanner.ts';
import { CheckRequestSchema } from '../../../src/gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import { DeltaDiscoveryResponseSchema } from '../../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { frame, MessageDecoder } from '../../../src/grpc/framing.ts';
import { compileAuthorization } from '../../../src/policy/authorize/compile.ts';

describe('Template', () => {
  test('replaces every marker by the number, and nothing else', () => {
    const template = new Template(Buffer.from(`a${marker}b${marker}`));
    const decoder = new MessageDecoder(100);
    expect(decoder.push(template.framed(42)).map(String)).toEqual(['a00000042b00000042']);
    expect(decoder.push(template.framed(7)).map(String)).toEqual(['a00000007b00000007']);
  });
});

describe('benchRequests', () => {
  test.each([
    [1, 1536],
    [10, 8192],
    [100, 1536],
  ])('for %d rules, of %d bytes each, differing from call to call', (rules, bytes) => {
    const requests = benchRequests(rules, bytes);
    expect(requests.map(({ length }) => length)).toEqual(requests.map(() => bytes));
    for (const request of requests) {
      const http = fromBinary(CheckRequestSchema, request).attributes?.request?.http;
      expect(http?.path).toContain(marker);
      expect(http?.headerMap?.headers.length).toBeGreaterThan(10);
    }
  });

  test('their policy is one that the mesh can enforce', () => {
    const policy = {
      workload: 'spiffe://mesh.internal/ns/shop/sa/orders',
      requirements: [requirementOf(benchPolicy(100))],
      shadowRequirements: [],
      hybridPolicies: [],
      quarantined: [],
    };
    expect(compileAuthorization(policy).reads.headers).toEqual(['x-tenant']);
  });
});

describe('ResponseScanner', () => {
  const response = fc.record({
    typeUrl: fc.string({ maxLength: 40 }),
    nonce: fc.string({ maxLength: 10 }),
    systemVersionInfo: fc.string({ maxLength: 10 }),
    resources: fc.array(
      fc.record({ name: fc.string({ maxLength: 300, size: 'max' }), version: fc.string() }),
      {
        maxLength: 5,
      },
    ),
    removedResources: fc.array(fc.string(), { maxLength: 3 }),
  });

  test('sees of any stream, however it is cut, what a decoder of the whole sees', () => {
    fc.assert(
      fc.property(
        fc.array(response, { maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        (responses, size) => {
          // A message of no bytes at all says nothing, and is never sent.
          const sent = responses.filter(({ typeUrl }) => typeUrl !== '');
          const wire = Buffer.concat(
            sent.map((each) => {
              const message = create(DeltaDiscoveryResponseSchema, each);
              return frame(toBinary(DeltaDiscoveryResponseSchema, message));
            }),
          );
          const seen: ScannedResponse[] = [];
          const scanner = new ResponseScanner((each) => seen.push(each));
          for (let at = 0; at < wire.length; at += size) scanner.push(wire.subarray(at, at + size));
          expect(seen).toEqual(
            sent.map(({ typeUrl, nonce, resources }) => ({ typeUrl, nonce, resources: resources.length })),
          );
        },
      ),
    );
  });
});
