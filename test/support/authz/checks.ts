// Checks as Envoy sends them, and what an authorizer makes of them.

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type AuthorizerOptions, createAuthorizer } from '../../../src/authz/authorizer.ts';
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '../../../src/gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import { GrpcError } from '../../../src/grpc/status.ts';
import type { PlainRequest } from './reference.ts';

export interface Check extends Partial<PlainRequest> {
  /** PEM. */
  readonly certificate?: string;
  /** A connection, of which nothing has been read yet. */
  readonly connection?: boolean;
  /** Instead of the port. */
  readonly portText?: string;
}

type HttpInit = NonNullable<
  NonNullable<NonNullable<MessageInitShape<typeof CheckRequestSchema>['attributes']>['request']>['http']
>;

/** With `encode_raw_headers`, as our filters ask for it. */
export function checkBytes(check: Check = {}): Uint8Array {
  const { principal = 'spiffe://mesh.example/ns/shop/sa/cart', certificate = '', connection = false } = check;
  const http: HttpInit = {
    method: check.method ?? 'GET',
    path: check.path ?? '/',
    host: check.host ?? 'orders.shop',
    headerMap: {
      headers: (check.headers ?? []).map(([key, value]) => ({ key, rawValue: Buffer.from(value) })),
    },
  };
  return toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      attributes: {
        source: { principal, certificate: encodeURIComponent(certificate) },
        ...(connection ? {} : { request: { http } }),
        contextExtensions: { port: check.portText ?? String(check.port ?? 8080) },
      },
    }),
  );
}

export interface Answer {
  /** `allowed`, `denied`, or the gRPC status. */
  readonly result: 'allowed' | 'denied' | number;
  readonly denied?: unknown;
  readonly audit?: unknown;
}

/** Asks as Envoy does: any gRPC status but OK is no. */
export function asker(options: Partial<AuthorizerOptions>): (message: Uint8Array) => Answer {
  const method = createAuthorizer({
    policy: () => undefined,
    anchors: () => [],
    tokenKeys: () => undefined,
    trustDomain: 'mesh.example',
    now: () => new Date('2026-03-01T12:00:00Z'),
    onDecision: () => {},
    onError: () => {},
    portExtension: 'port',
    reasonKeys: { denied: 'denied', audit: 'audit' },
    ...options,
  });
  if (method.kind !== 'unary') throw new Error('Check is a unary method');
  const { handle } = method;
  return (message) => {
    try {
      // Of the call itself nothing is looked at.
      return readAnswer(handle(message, undefined as never) as Uint8Array);
    } catch (error) {
      if (error instanceof GrpcError) return { result: error.code };
      throw error;
    }
  };
}

function readAnswer(bytes: Uint8Array): Answer {
  const { status, httpResponse, dynamicMetadata = {} } = fromBinary(CheckResponseSchema, bytes);
  const allowed = (status?.code ?? 0) === 0;
  const forbidden = httpResponse.case === 'deniedResponse' && httpResponse.value.status?.code === 403;
  if (allowed === forbidden) throw new Error('an answer that says both');
  return { result: allowed ? 'allowed' : 'denied', ...dynamicMetadata };
}
