// Patterns of SPIFFE IDs: `*` is any identity, a trailing `/*` everything below a path, the rest exactly one identity.

export type PrincipalMatcher = (principal: string) => boolean;

const anyIdentity = 'spiffe://';

/** Matches what one of the patterns matches. The empty principal, nobody, is matched by none. */
export function compilePrincipals(patterns: readonly string[]): PrincipalMatcher {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const pattern of patterns) {
    if (pattern === '*') prefixes.push(anyIdentity);
    else if (pattern.endsWith('/*')) prefixes.push(pattern.slice(0, -1));
    else exact.add(pattern);
  }
  // A policy is code of its author's, but an empty pattern must not be what lets in whoever has no identity.
  exact.delete('');
  if (prefixes.length === 0) return (principal) => exact.has(principal);
  return (principal) => exact.has(principal) || prefixes.some((prefix) => principal.startsWith(prefix));
}
