// The reader of checks against the generated decoder.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheckRequest } from '../../src/authz/check-request.ts';
import { AuthzError } from '../../src/authz/errors.ts';
import { HeaderNames } from '../../src/authz/header-names.ts';
import { CheckRequestSchema } from '../../src/gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedBytes } from './support/mutations.ts';
import { isWellFormed } from './support/well-formed.ts';

const wanted = ['x-a', 'x-bb', 'authorization'] as const;
const names = new HeaderNames(wanted);

interface Fields {
  readonly principal: string;
  readonly certificate: string;
  readonly isHttp: boolean;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly port: string | undefined;
  readonly headers: readonly (readonly string[])[];
}

function walked(bytes: Uint8Array): Fields {
  const request = new CheckRequest(bytes, names, 'port');
  const { principal, isHttp, method, path, host } = request;
  return {
    principal,
    certificate: request.certificate.toString('utf8'),
    isHttp,
    method,
    path,
    host,
    port: request.portText,
    headers: wanted.map((name) => request.header(name)),
  };
}

function decoded(bytes: Uint8Array): Fields {
  const { attributes } = fromBinary(CheckRequestSchema, bytes);
  const http = attributes?.request?.http;
  const { source, contextExtensions = {} } = attributes ?? {};
  const { headers = {}, headerMap } = http ?? {};
  return {
    principal: source?.principal ?? '',
    certificate: source?.certificate ?? '',
    isHttp: http !== undefined,
    method: http?.method ?? '',
    path: http?.path ?? '',
    host: http?.host ?? '',
    port: contextExtensions['port'],
    headers: wanted.map((name) => [
      ...(Object.hasOwn(headers, name) ? [headers[name] ?? ''] : []),
      ...(headerMap?.headers ?? [])
        .filter(({ key }) => key === name)
        .map(({ value, rawValue }) => (rawValue.length > 0 ? Buffer.from(rawValue).toString() : value)),
    ]),
  };
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constant('spiffe://mesh/ns/a/sa/b'),
  fc.string({ minLength: 120, maxLength: 300 }),
);
const name = fc.oneof(fc.constantFrom(...wanted, 'x-b', 'x-c', 'X-A'), fc.string({ maxLength: 5 }));
const socket = fc
  .record({ address: fc.string({ maxLength: 10 }), portValue: fc.nat(65535) })
  .map(({ address, portValue }) => ({
    address: {
      case: 'socketAddress' as const,
      value: { address, portSpecifier: { case: 'portValue' as const, value: portValue } },
    },
  }));
const peer = fc.record(
  { address: socket, service: text, principal: text, certificate: text },
  { requiredKeys: [] },
);
const http = fc.record(
  {
    id: text,
    method: text,
    headers: fc.dictionary(name, text, { maxKeys: 5 }),
    path: text,
    host: text,
    scheme: text,
    size: fc.bigInt({ min: -1n, max: 2n ** 62n }),
    rawBody: fc.uint8Array({ maxLength: 10 }),
    headerMap: fc.record({
      headers: fc.array(
        fc.oneof(
          fc.record({ key: name, value: text }),
          fc.record({ key: name, rawValue: fc.uint8Array({ maxLength: 10 }) }),
        ),
        { maxLength: 6 },
      ),
    }),
  },
  { requiredKeys: [] },
);
const message = fc
  .record(
    {
      source: peer,
      destination: peer,
      request: fc.record({ time: fc.constant({ seconds: 1n }), http }, { requiredKeys: [] }),
      contextExtensions: fc.dictionary(fc.oneof(fc.constant('port'), name), text, { maxKeys: 3 }),
      tlsSession: fc.record({ sni: text }),
    },
    { requiredKeys: [] },
  )
  .map((attributes) => toBinary(CheckRequestSchema, create(CheckRequestSchema, { attributes })));

/** Concatenated messages are one, merged. */
const merged = fc.array(message, { maxLength: 3 }).map((parts) => Buffer.concat(parts));

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

describe('a check is read as the generated decoder reads it', () => {
  test('when it is well-formed, however often its parts occur', () => {
    fc.assert(
      fc.property(merged, (bytes) => {
        expect(walked(bytes)).toEqual(decoded(bytes));
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('when it is damaged and still a message; otherwise it is refused, or its damage is in what is not read', () => {
    fc.assert(
      fc.property(fc.oneof(mutatedBytes(merged), fc.uint8Array({ maxLength: 60 })), (bytes) => {
        const copy = Buffer.from(bytes);
        let own: Fields | undefined;
        try {
          own = walked(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(AuthzError);
        }
        expect(Buffer.compare(copy, bytes)).toBe(0);
        const expected = attempt(() => decoded(bytes));
        if (expected === undefined || !isWellFormed(CheckRequestSchema, Buffer.from(bytes))) return;
        expect(own).toEqual(expected);
      }),
      { numRuns: fuzzRuns(2_000) },
    );
  });

  test('from its own bytes alone, wherever in a larger buffer they stand', () => {
    fc.assert(
      fc.property(
        mutatedBytes(merged),
        fc.uint8Array({ maxLength: 20 }),
        fc.uint8Array({ maxLength: 20 }),
        (bytes, before, after) => {
          const large = Buffer.concat([before, bytes, after]);
          const inside = large.subarray(before.length, before.length + bytes.length);
          expect(attempt(() => walked(inside))).toEqual(attempt(() => walked(bytes)));
        },
      ),
      { numRuns: fuzzRuns(500) },
    );
  });
});
