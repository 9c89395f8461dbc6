// What the calls of the Identity service have in common: reading the request, telling the caller what is wrong with it, and
// reporting every refusal.

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { CryptoError } from '../crypto/errors.ts';
import type { Call, Method } from '../grpc/call.ts';
import { GrpcError, type StatusCode, status } from '../grpc/status.ts';
import { IdentityError, type IdentityErrorCode } from '../identity/errors.ts';

export type IssuanceResult = 'issued' | 'denied' | 'failed';

const service = '/trellis.identity.v1.Identity';
/** The largest request is a CSR for an ML-DSA-87 key, 7.3 KB (see maxCsrBytes), and a token or a name. */
const maxRequestBytes = 32 * 1024;

export interface IdentityMethod<Request extends DescMessage, Response extends DescMessage> {
  readonly name: string;
  readonly request: Request;
  readonly response: Response;
  readonly answer: (request: MessageShape<Request>, call: Call) => Promise<MessageInitShape<Response>>;
  /** The request is undefined when it could not be read. */
  readonly onRefused: (
    result: Exclude<IssuanceResult, 'issued'>,
    detail: string,
    request: MessageShape<Request> | undefined,
  ) => void;
  /** Called before the request is read. @throws GrpcError for a caller who may not make this call at all */
  readonly admit?: (call: Call) => void;
}

export function identityMethod<Request extends DescMessage, Response extends DescMessage>(
  method: IdentityMethod<Request, Response>,
): [string, Method] {
  const { name, admit } = method;
  const handle = async (bytes: Uint8Array, call: Call): Promise<Uint8Array> => {
    let request: MessageShape<Request> | undefined;
    try {
      request = parse(method.request, bytes);
      return toBinary(method.response, create(method.response, await method.answer(request, call)));
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      method.onRefused(error instanceof GrpcError ? 'denied' : 'failed', `${name}: ${detail}`, request);
      throw error;
    }
  };
  return [
    `${service}/${name}`,
    { kind: 'unary', handle, maxRequestBytes, ...(admit === undefined ? {} : { admit }) },
  ];
}

function parse<Request extends DescMessage>(schema: Request, bytes: Uint8Array): MessageShape<Request> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(status.invalidArgument, `not a ${schema.typeName}`, { cause: error });
  }
}

/** Whatever is wrong with a request is the caller's to know; the rest stays here. */
const faultsOfRequest: ReadonlySet<IdentityErrorCode> = new Set([
  'ERR_SVID_KEY_NOT_ALLOWED',
  'ERR_TOKEN_AUDIENCE',
]);

/** Does something with a request that may turn out to be wrong. @throws GrpcError INVALID_ARGUMENT then */
export function asked<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    const isFault = error instanceof IdentityError && faultsOfRequest.has(error.code);
    if (error instanceof CryptoError || isFault) throw refusal(status.invalidArgument, error);
    throw error;
  }
}

export function refusal(code: StatusCode, error: CryptoError | IdentityError): GrpcError {
  return new GrpcError(code, `${error.code}: ${error.message}`, { cause: error });
}
