// What the agent decides by, put together: the workload's rules, and whom it trusts.

import { createAuthorizer } from '../authz/authorizer.ts';
import type { CheckCause, CheckResult } from '../authz/causes.ts';
import { decodeAuthorization } from '../authz/policy-message.ts';
import type { Certificate } from '../crypto/x509/certificate.ts';
import type { Method } from '../grpc/call.ts';
import type { TokenKeys } from '../identity/tokens/token-keys.ts';
import { type CompiledAuthorization, compileAuthorization } from '../policy/authorize/compile.ts';
import { auditKey, checkPath, deniedKey, portExtension } from '../xds/agreed-names.ts';

/** Comes with every SVID. */
interface Trust {
  readonly anchors: readonly Certificate[];
  readonly tokenKeys: TokenKeys;
}

export interface AuthorizationOptions {
  readonly trustDomain: string;
  readonly now: () => Date;
  readonly onDecision: (result: CheckResult, cause: CheckCause) => void;
  readonly onError: (error: unknown) => void;
}

/** Until there are rules and trust, everything is denied. */
export class Authorization {
  /** Envoy's external authorization service. */
  readonly method: [string, Method];
  #policy: CompiledAuthorization | undefined;
  #trust: Trust | undefined;

  constructor(options: AuthorizationOptions) {
    const nobody: readonly Certificate[] = [];
    const authorizer = createAuthorizer({
      ...options,
      policy: () => this.#policy,
      anchors: () => this.#trust?.anchors ?? nobody,
      tokenKeys: () => this.#trust?.tokenKeys,
      portExtension,
      reasonKeys: { denied: deniedKey, audit: auditKey },
    });
    this.method = [checkPath, authorizer];
  }

  get isKnown(): boolean {
    return this.#policy !== undefined;
  }

  /**
   * Takes rules into force; undefined when there are none any more. Those that cannot be used leave none: what was in force
   * may allow what they were made to deny.
   * @throws AuthzError, PolicyError
   */
  adopt(resource: Uint8Array | undefined): void {
    this.#policy = undefined;
    if (resource !== undefined) this.#policy = compileAuthorization(decodeAuthorization(resource));
  }

  trust({ anchors, tokenKeys }: Trust): void {
    this.#trust = { anchors, tokenKeys };
  }
}
