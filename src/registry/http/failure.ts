// From what the network stack throws to our own errors.

import { RegistryError } from '../errors.ts';

const timeouts: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/** What OpenSSL and Node.js call certificates they do not take. */
const certificates =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)/;

/** @param url what was asked for; its query is not shown, because storage services put credentials there */
export function failureOf(error: unknown, url: URL): RegistryError {
  if (error instanceof RegistryError) return error;
  const where = `${url.host}${url.pathname}`;
  const code = codeOf(error);
  if (timeouts.has(code)) {
    return new RegistryError('ERR_REGISTRY_TIMEOUT', `${where} does not answer in time`, { cause: error });
  }
  if (certificates.test(code)) {
    return new RegistryError(
      'ERR_REGISTRY_CERTIFICATE',
      `the certificate of ${url.host} does not verify (${code}): give its CA, when it is a private one`,
      { cause: error },
    );
  }
  // llhttp's names for what is no HTTP, undici's for headers without an end and bodies that are not as long as they say.
  if (/^HPE_|^UND_ERR_(?:HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH|INFO)$/.test(code)) {
    return new RegistryError('ERR_REGISTRY_PROTOCOL', `${where} answers with what is no HTTP (${code})`, {
      cause: error,
    });
  }
  return new RegistryError('ERR_REGISTRY_UNREACHABLE', `${where} cannot be reached: ${reasonOf(error)}`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_ABORTED: 'the proxy does not connect to it',
  UND_ERR_PRX_CONN: 'the proxy cut the connection',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
};

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return reasons[code] ?? (code || (error instanceof Error ? error.message : String(error)));
}
