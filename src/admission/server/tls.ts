// TLS between API servers and the webhook.

import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { keyExchangeGroups, meshTls } from '../../crypto/algorithms.ts';
import type { ServingPair } from '../certificate/serving-pair.ts';

/**
 * API servers of Kubernetes 1.33 (Go 1.24) and later have the first. The slash ends a class: whoever has it is asked for it, even if they came
 * with a key for another (OpenSSL 3.5, SSL_CTX_set1_groups_list).
 */
const groups = `${keyExchangeGroups.X25519MLKEM768.tlsName}/X25519:P-256:P-384`;

/** Those with forward secrecy and authenticated encryption; RSA is for certificates of the user's own. */
const ciphers = [
  meshTls.cipher,
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
];

/** @param clientCa PEM of those who vouch for API servers; undefined to ask for no client certificate */
export function webhookTlsOptions(pair: ServingPair, clientCa: string | undefined): SecureContextOptions {
  return {
    cert: pair.certificate,
    key: pair.key,
    minVersion: 'TLSv1.2',
    ciphers: ciphers.join(':'),
    ecdhCurve: groups,
    honorCipherOrder: true,
    // A resumed session would skip client certificates, and outlive the certificate that it began with.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    ...(clientCa !== undefined && { ca: clientCa }),
  };
}
