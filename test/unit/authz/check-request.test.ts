// That values are read as the generated decoder reads them is in test/property/authz-check-request.test.ts.

import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { CheckRequest } from '../../../src/authz/check-request.ts';
import { AuthzError } from '../../../src/authz/errors.ts';
import { HeaderNames } from '../../../src/authz/header-names.ts';
import { CheckRequestSchema } from '../../../src/gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import { checkBytes } from '../../support/authz/checks.ts';

const read = (bytes: Uint8Array, names: readonly string[] = ['x-a']) =>
  new CheckRequest(bytes, new HeaderNames(names), 'port');

test('a header that differs in _ and - alone is a twin, in either form in which headers come', () => {
  const request = (headers: readonly (readonly [string, string])[]) =>
    read(checkBytes({ headers }), ['x-a-b', 'x_c']);
  expect(request([['x-a-b', '1']]).hasTwin('x-a-b')).toBe(false);
  for (const twin of ['x_a_b', 'x-a_b', 'x_a-b']) {
    expect(request([[twin, '1']]).hasTwin('x-a-b')).toBe(true);
    expect(request([[twin, '1']]).header('x-a-b')).toEqual([]);
  }
  expect(request([['x-c', '1']]).hasTwin('x_c')).toBe(true);
  expect(
    request([
      ['x.a.b', '1'],
      ['x-a-c', '1'],
      ['xxaxb', '1'],
    ]).hasTwin('x-a-b'),
  ).toBe(false);
});

describe('a check', () => {
  test('says who asks for what, on which port', () => {
    const request = read(
      checkBytes({
        port: 9090,
        method: 'PUT',
        path: '/a?b',
        host: 'h',
        headers: [
          ['x-a', '1'],
          ['x-b', '2'],
          ['x-a', '3'],
        ],
      }),
    );
    expect(request).toMatchObject({
      principal: 'spiffe://mesh.example/ns/shop/sa/cart',
      isHttp: true,
      method: 'PUT',
      path: '/a?b',
      host: 'h',
      port: 9090,
    });
    expect(request.header('x-a')).toEqual(['1', '3']);
  });

  test('may be of a connection', () => {
    expect(read(checkBytes({ connection: true })).isHttp).toBe(false);
  });

  test('gives no answer about headers that nobody has looked for', () => {
    expect(() => read(checkBytes()).header('x-b')).toThrow('x-b was not asked for');
  });

  test('may bring its headers as a map as well; then both count', () => {
    const http = {
      headers: { 'x-a': '1' },
      headerMap: { headers: [{ key: 'x-a', rawValue: Buffer.from('2') }] },
    };
    const message = create(CheckRequestSchema, { attributes: { request: { http } } });
    expect(read(toBinary(CheckRequestSchema, message)).header('x-a')).toEqual(['1', '2']);
  });

  test('may bring a header that is no UTF-8, which reads as no other does', () => {
    const http = { headerMap: { headers: [{ key: 'x-a', rawValue: Uint8Array.of(0x61, 0xff) }] } };
    const message = create(CheckRequestSchema, { attributes: { request: { http } } });
    expect(read(toBinary(CheckRequestSchema, message)).header('x-a')).toEqual(['a\ufffd']);
  });
});

describe('a message that is none', () => {
  test.each([
    ['a field number 0', '0200'],
    ['a group', '0b0c'],
    ['a wire type that does not exist', '0e'],
    ['a field that is another type', '0801'],
    ['a length beyond the end', '0a05'],
    ['a length beyond the message it is in', `0a020a05${'00'.repeat(8)}`],
    ['a length of 33 bits', '0affffffff1f'],
    ['a length of 33 bits that would be none in 32', '0a8080808010'],
    ['an endless length', '0affffffffffffffff'],
    ['an endless number', '10ffffffffffffffffffff01'],
    ['a number that ends in the middle', '1080'],
    ['eight bytes that are four', '1100000000'],
    ['text that is no UTF-8', '0a050a032201ff'],
  ])('%s', (_name, hex) => {
    expect(() => read(Buffer.from(hex, 'hex'))).toThrow(AuthzError);
    expect(() => read(Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'ERR_AUTHZ_MALFORMED' }),
    );
  });
});
