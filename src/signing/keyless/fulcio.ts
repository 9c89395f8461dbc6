// Fulcio: a certificate for a key, in exchange for an identity token (sigstore/fulcio, fulcio.proto, v2 of its HTTP API).

import { X509Certificate } from 'node:crypto';
import { type SigningKey, signBytes } from '../../crypto/keys.ts';
import { encodeBase64 } from '../base64.ts';
import { type PublicKey, publicKeyPem } from '../keys/public-key.ts';
import { jsonAnswer, malformed, resourceUrl, send, type Transport } from '../services/request.ts';
import type { IdentityToken } from './identity-token.ts';
import { readSigningCertificate, type SigningCertificate } from './signing-certificate.ts';

const service = 'Fulcio';

export interface CertificateRequest {
  readonly fulcioUrl: URL;
  readonly token: IdentityToken;
  readonly key: SigningKey;
  readonly publicKey: PublicKey;
  readonly transport: Transport;
}

/**
 * A signing certificate for the key, which has been checked to be for this key.
 * @throws SigningError ERR_SIGSTORE_SERVICE; the signal's reason
 */
export async function requestCertificate(
  { fulcioUrl, token, key, publicKey, transport }: CertificateRequest,
  signal?: AbortSignal,
): Promise<SigningCertificate> {
  const proof = signBytes(key, Buffer.from(token.subject, 'utf8'));
  const body = JSON.stringify({
    credentials: { oidcIdentityToken: token.reveal() },
    publicKeyRequest: {
      publicKey: { algorithm: 'ECDSA', content: publicKeyPem(publicKey) },
      proofOfPossession: encodeBase64(proof),
    },
  });
  const url = resourceUrl(fulcioUrl, '/api/v2/signingCert');
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  const wanted = { service, url, method: 'POST', headers, body, secret: token.reveal() } as const;
  const certificate = leafOf(jsonAnswer(service, await send(wanted, [200, 201], transport, signal)));
  if (certificate.publicKey.spkiSha256 !== publicKey.spkiSha256)
    throw malformed(service, 'a certificate for another key than the one it was asked for');
  return certificate;
}

/**
 * The first certificate of the chain. A detached SCT, which instances with an old or without any transparency log give,
 * has no place in a bundle: whether the certificate suffices without is the verifier's trusted root to say.
 */
function leafOf(answer: Readonly<Record<string, unknown>>): SigningCertificate {
  const signed = answer['signedCertificateEmbeddedSct'] ?? answer['signedCertificateDetachedSct'];
  const pem = firstCertificate(signed);
  if (pem === undefined) throw malformed(service, 'an answer without a certificate');
  try {
    return readSigningCertificate(new X509Certificate(pem).raw);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw malformed(service, `a certificate that cannot be used (${reason})`);
  }
}

function firstCertificate(signed: unknown): string | undefined {
  const certificates = property(property(signed, 'chain'), 'certificates');
  const first: unknown = Array.isArray(certificates) ? certificates[0] : undefined;
  return typeof first === 'string' ? first : undefined;
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
