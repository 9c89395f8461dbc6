// envoy.service.auth.v3.CheckResponse, encoded once for each reason.

import { create, toBinary } from '@bufbuild/protobuf';
import { CheckResponseSchema } from '../gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import { StatusCode } from '../gen/proto/envoy/type/v3/http_status_pb.ts';
import { status } from '../grpc/status.ts';

/** Under which names reasons stand in the dynamic metadata of an answer. */
export interface ReasonKeys {
  readonly denied: string;
  readonly audit: string;
}

/** Reasons are made of policies, rules and causes: there are as many as a policy has rules, a few times over. */
const maxRemembered = 4096;

export class CheckResponses {
  readonly #keys: ReasonKeys;
  readonly #encoded = new Map<string, Uint8Array>();

  constructor(keys: ReasonKeys) {
    this.#keys = keys;
  }

  /** @param audit what policies in `warn` or `audit` have against the request */
  allowed(audit: string | undefined): Uint8Array {
    return this.#remembered(`allowed ${audit ?? ''}`, () =>
      toBinary(
        CheckResponseSchema,
        create(CheckResponseSchema, {
          status: { code: status.ok },
          ...(audit === undefined ? {} : { dynamicMetadata: { [this.#keys.audit]: audit } }),
        }),
      ),
    );
  }

  /** No headers and no body: how a denial looks to the caller is Envoy's to say. */
  denied(reason: string, audit: string | undefined): Uint8Array {
    const { denied, audit: auditKey } = this.#keys;
    return this.#remembered(`${reason} ${audit ?? ''}`, () =>
      toBinary(
        CheckResponseSchema,
        create(CheckResponseSchema, {
          status: { code: status.permissionDenied },
          httpResponse: { case: 'deniedResponse', value: { status: { code: StatusCode.Forbidden } } },
          dynamicMetadata: { [denied]: reason, ...(audit === undefined ? {} : { [auditKey]: audit }) },
        }),
      ),
    );
  }

  #remembered(key: string, encode: () => Uint8Array): Uint8Array {
    let bytes = this.#encoded.get(key);
    if (bytes === undefined) {
      if (this.#encoded.size >= maxRemembered) this.#encoded.clear();
      bytes = encode();
      this.#encoded.set(key, bytes);
    }
    return bytes;
  }
}
