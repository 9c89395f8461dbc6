// What the user says about the request, from text.

import type { Header } from '../../explain/request.ts';
import { tcpMethod } from '../../policy/authorize/request.ts';
import { CliError } from '../errors.ts';

/** RFC 9110 §5.6.2. */
const httpToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** `name: value`. @throws CliError ERR_USAGE */
export function parseHeader(text: string): Header {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0)).trim();
  const value = text.slice(colon + 1).trim();
  if (colon <= 0 || !httpToken.test(name) || !/^[^\p{Cc}]*$/u.test(value)) {
    throw new CliError('ERR_USAGE', `${JSON.stringify(text)} is no header`, {
      hint: "write it as in --header 'x-desk: eur-usd'",
    });
  }
  return { name: name.toLowerCase(), value };
}

/** @throws CliError ERR_USAGE */
export function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (httpToken.test(text) && text !== method) {
    throw new CliError('ERR_USAGE', `methods are told apart by case, and the proxy answers 400 to ${text}`, {
      hint: `write ${method}`,
    });
  }
  if (!httpToken.test(method)) throw new CliError('ERR_USAGE', `${JSON.stringify(text)} is no HTTP method`);
  if (method === tcpMethod) {
    throw new CliError('ERR_USAGE', 'CONNECT is how the mesh carries TCP; the proxy takes no such request', {
      hint: 'ask about a TCP port without --method',
    });
  }
  return method;
}

/**
 * The path, with its query. The proxy of the called pod normalizes paths before anything is decided; rather than doing the
 * same a second time, in a way that could differ, only paths that stay as they are are taken.
 * @throws CliError ERR_USAGE
 */
export function parsePath(text: string): string {
  const [path = ''] = text.split('?', 1);
  const bad = (message: string, hint: string) =>
    new CliError('ERR_USAGE', `${JSON.stringify(text)}: ${message}`, { hint });
  if (!text.startsWith('/')) throw bad('a path begins with /', 'write it as in --path /orders/7');
  if (!/^[\x21-\x7e]*$/.test(text) || text.includes('#'))
    throw bad('a path with characters that a request cannot have', 'percent-encode them, and leave out #');
  if (/%2f|%5c/i.test(path))
    throw bad('the proxy answers 400 to an escaped slash, before any policy is asked', 'leave it out');
  if (/\/\/|\\|\/\.{1,2}(\/|$)/.test(path))
    throw bad('the proxy resolves //, /./, /../ and \\ first', 'ask about the path that is left then');
  if (/%(2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/i.test(path))
    throw bad('the proxy decodes letters, digits and -._~ first', 'write them as they are');
  return text;
}
