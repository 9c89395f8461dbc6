// What a policy revokes, for as long as the rest of its newest version cannot be used. Whoever writes a revocation is in a hurry, and
// makes mistakes beside it: it may take a while until they are seen, and what is revoked is known to be bad.

import { ownField } from '../../../model/manifest.ts';
import type { Parsed } from '../../../model/parse.ts';

export interface Revocations {
  readonly digests: readonly string[];
  readonly keys: readonly string[];
}

/** As the schema has them. */
const patterns = {
  digests: /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/,
  keys: /^[0-9a-f]{64}$/,
} as const;

/** What is there to be understood, whatever is wrong with the rest. */
export function readRevocations(spec: unknown): Revocations {
  const revoked = ownField(spec, 'revoked');
  const read = (list: keyof Revocations): readonly string[] => {
    const entries = ownField(revoked, list);
    if (!Array.isArray(entries)) return [];
    return entries.filter((entry) => typeof entry === 'string' && patterns[list].test(entry));
  };
  return { digests: read('digests'), keys: read('keys') };
}

/** The policy, revoking that as well; the same object where it does already, or is no policy. */
export function withRevocations(parsed: Parsed, more: Revocations): Parsed {
  const { resource } = parsed;
  if (resource?.kind !== 'QuantumSecurityPolicy') return parsed;
  const { revoked = {} } = resource.spec;
  const digests = [...new Set([...(revoked.digests ?? []), ...more.digests])];
  const keys = [...new Set([...(revoked.keys ?? []), ...more.keys])];
  const isNew = digests.length > (revoked.digests?.length ?? 0) || keys.length > (revoked.keys?.length ?? 0);
  if (!isNew) return parsed;
  const joined = { ...(digests.length > 0 && { digests }), ...(keys.length > 0 && { keys }) };
  return { ...parsed, resource: { ...resource, spec: { ...resource.spec, revoked: joined } } };
}
