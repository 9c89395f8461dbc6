// From the status and the error document of a registry (OCI distribution specification, "Error Codes") to our own error.

import { RegistryError, type RegistryErrorCode } from './errors.ts';
import type { Answer } from './http/answer.ts';
import { isJsonObject, parseStrictJson } from './strict-json.ts';

const maxErrorBytes = 64 * 1024;
const maxDepth = 16;
const maxShownCharacters = 200;

const codes: Readonly<Record<number, RegistryErrorCode>> = {
  401: 'ERR_REGISTRY_UNAUTHORIZED',
  403: 'ERR_REGISTRY_DENIED',
  404: 'ERR_REGISTRY_NOT_FOUND',
  408: 'ERR_REGISTRY_TIMEOUT',
  413: 'ERR_REGISTRY_TOO_LARGE',
  429: 'ERR_REGISTRY_RATE_LIMITED',
};

/** Reads the rest of the answer. Never rejects. @param missing what a 404 means */
export async function statusError(method: string, answer: Answer, missing?: string): Promise<RegistryError> {
  const { status, url } = answer;
  const words = await wordsOf(answer);
  const code = codes[status] ?? codeOfClass(status);
  if (status === 404 && missing !== undefined) {
    return new RegistryError(code, `${missing}; the registry says ${words ?? status}`, { status });
  }
  const said = words === undefined ? '' : `: ${words}`;
  return new RegistryError(code, `${method} ${url.host}${url.pathname} is answered with ${status}${said}`, {
    status,
  });
}

function codeOfClass(status: number): RegistryErrorCode {
  if (status >= 500) return 'ERR_REGISTRY_UNREACHABLE';
  // Of a request that writes: what was meant for the registry is sent nowhere else.
  return status >= 300 && status < 400 ? 'ERR_REGISTRY_REDIRECT' : 'ERR_REGISTRY_PROTOCOL';
}

/** What the registry says about it, quoted: it may be anything. */
async function wordsOf(answer: Answer): Promise<string | undefined> {
  try {
    const bytes = await answer.bytes(maxErrorBytes);
    const document = parseStrictJson(bytes, { maxBytes: maxErrorBytes, maxDepth });
    const [first] = isJsonObject(document) && Array.isArray(document['errors']) ? document['errors'] : [];
    if (!isJsonObject(first)) return undefined;
    const words = [first['code'], first['message']].filter((word) => typeof word === 'string');
    return words.length === 0 ? undefined : JSON.stringify(words.join(': ').slice(0, maxShownCharacters));
  } catch {
    return undefined;
  }
}
