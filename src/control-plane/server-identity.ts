// The control plane's own TLS identity: issued by its own CA, renewed at half of its life, never written to disk.

import type { Http2SecureServer } from 'node:http2';
import { meshTls } from '../crypto/algorithms.ts';
import { generateSigningKey } from '../crypto/keys.ts';
import { createCsr } from '../crypto/x509/csr.ts';
import { controlPlaneSpiffeId } from '../identity/ids.ts';
import { meshTlsOptions, type TlsCredentials } from '../identity/mesh-tls.ts';
import { minRenewalIntervalMs, nextRenewal } from '../identity/renewal.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Authority } from './authority.ts';

/** After a renewal that failed: the CA may be expired, or the clock wrong, until somebody sets it right. */
const retryMs = 10_000;

export interface ServerIdentity extends TlsCredentials {
  readonly notAfter: Date;
}

export function issueServerIdentity(authority: Authority): ServerIdentity {
  const key = generateSigningKey(meshTls.signature);
  const svid = authority.issue(controlPlaneSpiffeId(authority.bundle.trustDomain), createCsr(key));
  return { key, certificates: svid.certificates, notAfter: svid.notAfter };
}

export interface RenewServerOptions {
  readonly authority: Authority;
  readonly initial: ServerIdentity;
  readonly now: () => Date;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Gives the server a fresh certificate in time, for as long as `signal` lets it. Open connections keep theirs. */
export function renewServerIdentity(
  server: Pick<Http2SecureServer, 'setSecureContext'>,
  options: RenewServerOptions,
): void {
  const { authority, now, random, signal, log } = options;
  let timer: NodeJS.Timeout | undefined;
  const untilRenewal = ({ notAfter }: ServerIdentity): number => {
    const issuedAt = now();
    return nextRenewal({ issuedAt, notAfter, random }).getTime() - issuedAt.getTime();
  };
  const renew = (): number => {
    try {
      const next = issueServerIdentity(authority);
      server.setSecureContext(meshTlsOptions(authority.bundle.anchors, next));
      return untilRenewal(next);
    } catch (error) {
      log.error({ err: error }, "could not renew the control plane's own certificate; trying again");
      return retryMs;
    }
  };
  const schedule = (waitMs: number): void => {
    timer = setTimeout(() => schedule(renew()), Math.max(waitMs, minRenewalIntervalMs));
  };
  schedule(untilRenewal(options.initial));
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
