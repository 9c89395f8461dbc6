// What stands in for a policy that cannot be used: one that allows nothing.

import { ownField } from '../../../model/manifest.ts';
import type { ManifestParser, Parsed } from '../../../model/parse.ts';
import type { Resource } from '../../../model/resource.ts';
import { readRevocations } from './revocations.ts';

/**
 * A policy that is left out makes the mesh more open than its author wanted. So where it would have held nobody may call, and if
 * it speaks about images, none may run. What else it says, about where it holds and how strictly, is kept as far as it can be
 * read. Undefined when not even its name can.
 */
export function closedPolicy(metadata: unknown, spec: unknown, parse: ManifestParser): Parsed | undefined {
  const has = (key: string): boolean => ownField(spec, key) !== undefined;
  const kept = (...keys: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(keys.filter(has).map((key) => [key, ownField(spec, key)]));
  // One entry that cannot be read takes nothing from the others, nor from what is said about where the policy holds.
  const { digests, keys } = readRevocations(spec);
  const lists = { ...(digests.length > 0 && { digests }), ...(keys.length > 0 && { keys }) };
  const revoking = Object.keys(lists).length > 0 ? { revoked: lists } : {};
  const speaksAboutImages = has('images') || has('revoked');
  const closed = {
    authorization: [],
    ...(speaksAboutImages && { images: [{ match: ['**'], action: 'deny' }] }),
  };
  const candidates = [
    { ...kept('selector', ...scalars), ...revoking, ...closed },
    // A policy about images has no selector.
    { ...kept(...scalars), ...revoking, ...closed },
    { postQuantumEncryption: 'required', ...closed },
  ];
  for (const candidate of candidates) {
    const parsed = parse({
      apiVersion: 'security.quantum.io/v1',
      kind: 'QuantumSecurityPolicy',
      metadata,
      spec: candidate,
    });
    if (parsed.resource !== undefined) return parsed;
  }
  return undefined;
}

const scalars = ['enforcement', 'postQuantumEncryption', 'quantumAuthentication', 'complianceLevel'] as const;

/** What it comes to where the policy holds: how strictly is the policy's own word, as far as it can be read. */
export function closedMeaning(closed: Resource | undefined): string {
  if (closed?.kind !== 'QuantumSecurityPolicy') return 'it is left out';
  const revoking = closed.spec.revoked === undefined ? '' : ', and nothing but what it revokes is denied';
  // As the schema has it for one that says nothing.
  switch (closed.spec.enforcement ?? 'enforce') {
    case 'enforce':
      return 'until it is mended, nothing is allowed where it holds';
    case 'warn':
      return `until it is mended, all that happens where it holds is allowed with a warning${revoking}`;
    default:
      return `until it is mended, all that happens where it holds is allowed, and recorded as what would be denied${revoking}`;
  }
}
