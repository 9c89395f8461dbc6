// The external authorization service of one workload (envoy.service.auth.v3.Authorization), from the bytes of a check to
// the bytes of its answer. Whatever goes wrong on the way, the answer is not "allowed".

import type { Certificate } from '../crypto/x509/certificate.ts';
import type { Method } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { TokenKeys } from '../identity/tokens/token-keys.ts';
import { authorize } from '../policy/authorize/authorize.ts';
import type { CompiledAuthorization } from '../policy/authorize/compile.ts';
import { reasonText } from '../policy/authorize/decision.ts';
import { denialReason } from '../policy/denial-reason.ts';
import type { CheckCause, CheckResult } from './causes.ts';
import { CheckRequest, maxCheckRequestBytes } from './check-request.ts';
import { CounterSignatureCheck } from './counter-signature.ts';
import { AuthzError } from './errors.ts';
import { HeaderNames } from './header-names.ts';
import { CheckResponses, type ReasonKeys } from './responses.ts';
import { TokenCache } from './token-cache.ts';

export interface AuthorizerOptions {
  /** What is in force: a new object whenever it changes; undefined: nothing has been received yet. */
  readonly policy: () => CompiledAuthorization | undefined;
  /** The workload's own trust bundle: a new object whenever it changes. */
  readonly anchors: () => readonly Certificate[];
  /** The keys of the trust domain's tokens: a new object whenever they change; undefined: none have been received. */
  readonly tokenKeys: () => TokenKeys | undefined;
  readonly trustDomain: string;
  readonly now: () => Date;
  /** Called for every check, with values from closed sets. */
  readonly onDecision: (result: CheckResult, cause: CheckCause) => void;
  /** Called with an exception that is no AuthzError, of which the caller is told nothing. */
  readonly onError: (error: unknown) => void;
  /** Of the context extension that says which port a request is for. */
  readonly portExtension: string;
  readonly reasonKeys: ReasonKeys;
}

/**
 * The gRPC method Check. It answers at once. Of a request nothing is kept but that a token's signature or a certificate was
 * good, in caches that are bounded; every decision is made anew.
 */
export function createAuthorizer(options: AuthorizerOptions): Method {
  const authorizer = new Authorizer(options);
  return {
    kind: 'unary',
    maxRequestBytes: maxCheckRequestBytes,
    handle: (request) => authorizer.check(request),
  };
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly result: CheckResult;
  readonly cause: CheckCause;
}

class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #responses: CheckResponses;
  readonly #counterSignature: CounterSignatureCheck;
  readonly #tokens: TokenCache;
  #headerNames: { readonly policy: CompiledAuthorization; readonly names: HeaderNames } | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#responses = new CheckResponses(options.reasonKeys);
    this.#counterSignature = new CounterSignatureCheck(options);
    this.#tokens = new TokenCache(options);
  }

  check(message: Uint8Array): Uint8Array {
    try {
      const { bytes, result, cause } = this.#answer(message);
      this.#options.onDecision(result, cause);
      return bytes;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #answer(message: Uint8Array): Answer {
    const policy = this.#options.policy();
    if (policy === undefined)
      throw new AuthzError('ERR_AUTHZ_NO_POLICY', 'the agent has no authorization rules to decide by');
    const request = new CheckRequest(message, this.#headersOf(policy), this.#options.portExtension);
    // On a connection without a certificate that is older than the demand for one, Envoy has none to send.
    const anonymous = request.principal === '' && policy.hybridPolicies.length > 0;
    if (!request.isHttp || request.certificate.length > 0 || anonymous) {
      const cause = this.#counterSignature.judge(request.certificate);
      // Of no policy where the connection is older than the edit by which the last of them went away.
      if (cause !== undefined)
        return this.#deny(denialReason(policy.hybridPolicies, cause), undefined, cause);
      if (!request.isHttp) return this.#allow(undefined);
    }
    return this.#decide(policy, request);
  }

  #decide(policy: CompiledAuthorization, request: CheckRequest): Answer {
    const now = this.#options.now();
    const decision = authorize(policy, request, (token) => this.#tokens.verify(token, now), now);
    const [shadow] = decision.shadow;
    const audit = shadow === undefined ? undefined : reasonText(shadow);
    return decision.allowed
      ? this.#allow(audit)
      : this.#deny(reasonText(decision.denial), audit, decision.denial.cause);
  }

  #allow(audit: string | undefined): Answer {
    return { bytes: this.#responses.allowed(audit), result: 'allowed', cause: 'none' };
  }

  #deny(reason: string, audit: string | undefined, cause: CheckCause): Answer {
    return { bytes: this.#responses.denied(reason, audit), result: 'denied', cause };
  }

  #headersOf(policy: CompiledAuthorization): HeaderNames {
    if (this.#headerNames?.policy !== policy) {
      this.#headerNames = { policy, names: new HeaderNames([...policy.reads.headers, 'authorization']) };
    }
    return this.#headerNames.names;
  }

  /** Envoy takes any status but OK for no answer, and denies. */
  #failure(error: unknown): GrpcError {
    const { onDecision, onError } = this.#options;
    if (error instanceof AuthzError && error.code === 'ERR_AUTHZ_TOO_LARGE') {
      onDecision('failed', 'request-too-large');
      return new GrpcError(status.resourceExhausted, error.message, { cause: error });
    }
    if (error instanceof AuthzError && error.code === 'ERR_AUTHZ_NO_POLICY') {
      // Nobody said no: Envoy tells its caller to try again.
      onDecision('failed', 'policy-unknown');
      return new GrpcError(status.unavailable, error.message, { cause: error });
    }
    if (error instanceof AuthzError) {
      onDecision('failed', 'request-malformed');
      return new GrpcError(status.invalidArgument, error.message, { cause: error });
    }
    onError(error);
    onDecision('failed', 'internal');
    return new GrpcError(status.internal, 'the check failed', { cause: error });
  }
}
