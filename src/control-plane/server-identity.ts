// The control plane's own TLS identity: issued by its own CA, renewed at half of its life, never written to disk.

import type { Http2SecureServer } from 'node:http2';
import { meshTls } from '../crypto/algorithms.ts';
import { generateSigningKey } from '../crypto/keys.ts';
import { createCsr } from '../crypto/x509/csr.ts';
import { controlPlaneSpiffeId } from '../identity/ids.ts';
import { meshTlsOptions, type TlsCredentials } from '../identity/mesh-tls.ts';
import { nextRenewal } from '../identity/renewal.ts';
import type { Authority } from './authority.ts';

interface ServerIdentity extends TlsCredentials {
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
}

/** Gives the server a fresh certificate in time, for as long as `signal` lets it. Open connections keep theirs. */
export function renewServerIdentity(server: Http2SecureServer, options: RenewServerOptions): void {
  const { authority, now, random, signal } = options;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (current: ServerIdentity): void => {
    const at = nextRenewal({ issuedAt: now(), notAfter: current.notAfter, random });
    timer = setTimeout(() => {
      const next = issueServerIdentity(authority);
      server.setSecureContext(meshTlsOptions(authority.bundle.anchors, next));
      schedule(next);
    }, at.getTime() - now().getTime());
  };
  schedule(options.initial);
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
