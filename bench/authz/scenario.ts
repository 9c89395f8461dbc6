// What both servers are asked, and the policy by which they answer.

import { create, toBinary } from '@bufbuild/protobuf';
import { CheckRequestSchema } from '../../src/gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import type { NamespacedName } from '../../src/model/mesh.ts';
import type { AuthorizationRequirement, AuthorizationRule } from '../../src/policy/effective.ts';
import { portExtension } from '../../src/xds/agreed-names.ts';
import { marker } from '../measure/template.ts';

/** For both servers, as JSON. A request is allowed by a rule that matches it. */
export interface BenchPolicy {
  readonly name: NamespacedName;
  readonly rules: readonly BenchRule[];
  /** PEM: the caller's certificate must be counter-signed by this CA. */
  readonly counterSignedBy?: string;
}

type Method = NonNullable<NonNullable<AuthorizationRule['to']>[number]['methods']>[number];

export interface BenchRule {
  readonly principals: readonly string[];
  readonly methods: readonly Method[];
  readonly paths: readonly string[];
  /** A header that must have this value. */
  readonly header: { readonly name: string; readonly value: string };
}

export function benchPolicy(rules: number): BenchPolicy {
  return {
    name: 'shop/orders',
    rules: Array.from({ length: rules }, (_, index) => ({
      principals: [principal(index)],
      methods: ['GET', 'POST'],
      paths: [`/api/v${index}/orders/**`],
      header: tenant(index),
    })),
  };
}

/** A policy that asks for the counter-signature, and for nothing else. */
export function hybridPolicy(anchor: string): BenchPolicy {
  return { name: 'shop/hybrid', rules: [], counterSignedBy: anchor };
}

/** The same as a mesh says it. */
export function requirementOf({ name, rules }: BenchPolicy): AuthorizationRequirement {
  return {
    policy: name,
    rules: rules.map(({ principals, methods, paths, header }) => ({
      from: [{ principals: [...principals] }],
      to: [{ methods: [...methods], paths: [...paths] }],
      condition: `request.headers['${header.name}'] == '${header.value}'`,
    })),
  };
}

const principal = (index: number): string => `spiffe://mesh.internal/ns/shop/sa/client-${index}`;
const tenant = (index: number) => ({ name: 'x-tenant', value: `tenant-${index % 8}` });

/** Different requests for one policy; in each, path and request ID differ from call to call. */
const templateCount = 16;

/** Of so many templates one is denied, by its header. */
const deniedOf = 4;

/** Of all requests. */
export const allowedShare = 1 - 1 / deniedOf;

/** CheckRequests of exactly `bytes` bytes, as Envoy sends them for the HTTP filter of our listeners, with a marker where they differ from call to call. */
export function benchRequests(rules: number, bytes: number): readonly Uint8Array[] {
  return Array.from({ length: templateCount }, (_, index) => {
    const rule = Math.floor((index * rules) / templateCount);
    const denied = index % deniedOf === deniedOf - 1;
    const bare = checkRequest(rule, denied, '').length;
    // A header of more than 127 bytes has longer lengths, its own and those of what it is in: approach from below.
    let padding = bytes - bare;
    let request = checkRequest(rule, denied, 'c'.repeat(padding));
    while (request.length > bytes) {
      padding -= request.length - bytes;
      request = checkRequest(rule, denied, 'c'.repeat(padding));
    }
    if (request.length !== bytes)
      throw new Error(`a request has ${request.length} bytes instead of ${bytes}`);
    return request;
  });
}

function checkRequest(rule: number, denied: boolean, cookie: string): Uint8Array {
  const path = `/api/v${rule}/orders/${marker}`;
  const { name, value } = tenant(rule);
  const headers = Object.entries({
    ':authority': 'orders.shop.svc.cluster.local',
    ':method': 'POST',
    ':path': path,
    ':scheme': 'http',
    'user-agent': 'storefront/4.11.2 (linux; x64)',
    accept: 'application/json',
    'accept-encoding': 'gzip, br',
    'content-type': 'application/json',
    'content-length': '412',
    'x-forwarded-proto': 'https',
    'x-request-id': `6f1c7f0e-2d5b-4a83-9f57-0000${marker}`,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    [name]: denied ? 'nobody' : value,
    cookie,
  }).map(([key, text]) => ({ key, rawValue: Buffer.from(text) }));
  const socket = (address: string, portValue: number) => ({
    address: {
      case: 'socketAddress' as const,
      value: { address, portSpecifier: { case: 'portValue' as const, value: portValue } },
    },
  });
  return toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      attributes: {
        source: { address: socket('10.12.7.31', 41822), principal: principal(rule) },
        destination: {
          address: socket('10.12.9.4', 15008),
          principal: 'spiffe://mesh.internal/ns/shop/sa/orders',
        },
        request: {
          time: { seconds: 1_790_000_000n, nanos: 123_456_000 },
          http: {
            id: '4477239583817392843',
            method: 'POST',
            headerMap: { headers },
            path,
            host: 'orders.shop.svc.cluster.local',
            scheme: 'http',
            size: 412n,
            protocol: 'HTTP/2',
          },
        },
        contextExtensions: { [portExtension]: '8080' },
        metadataContext: {},
      },
    }),
  );
}
