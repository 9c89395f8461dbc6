// Where a redirect may lead: on, within bounds, and never with credentials to another origin (CVE-2025-27403 is what
// credentials cost that follow whoever asks).

import { RegistryError } from '../errors.ts';

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/**
 * The URL of the next request. Addresses are checked when it is connected to.
 * @param visited the URLs so far, the last one redirected
 * @throws RegistryError ERR_REGISTRY_REDIRECT
 */
export function nextUrl(visited: readonly URL[], location: string | undefined, maxRedirects: number): URL {
  const from = visited.at(-1);
  const to = location === undefined ? null : URL.parse(location, from);
  if (from === undefined || to === null) throw refused(from, 'without saying where to');
  const where = `to ${to.protocol}//${to.host}`;
  if (to.protocol !== 'https:' && to.protocol !== from.protocol) throw refused(from, `${where}, without TLS`);
  if (to.username !== '' || to.password !== '') throw refused(from, `${where} with a name and password`);
  to.hash = '';
  if (visited.some((url) => url.href === to.href)) throw refused(from, `${where}, in a circle`);
  if (visited.length > maxRedirects) throw refused(from, `more than ${maxRedirects} times`);
  return to;
}

function refused(from: URL | undefined, how: string): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_REDIRECT',
    `${from?.host} redirects ${how}: the redirect is not followed`,
  );
}
