// The certificates of a trusted root's authorities. Sigstore's library builds chains of them by name, key identifier, time
// and basicConstraints; what else a certificate says about its use would be passed over, so it is looked at once, here.

import { extensionOid } from '../../crypto/x509/oids.ts';
import { Refused } from './refused.ts';
import { readX509Fields } from './x509-fields.ts';

export type AuthorityUse = 'code signing' | 'time-stamping';

/** RFC 5280 §4.2.1.12. */
const purposes: Readonly<Record<AuthorityUse, string>> = {
  'code signing': '1.3.6.1.5.5.7.3.3',
  'time-stamping': '1.3.6.1.5.5.7.3.8',
};
const anyPurpose = '2.5.29.37.0';
const certificatePolicies = '2.5.29.32';

const understood: ReadonlySet<string> = new Set([
  extensionOid.keyUsage,
  extensionOid.extendedKeyUsage,
  extensionOid.basicConstraints,
  extensionOid.subjectAltName,
  // Names the rules a certificate was issued under; they bind who issues, and no path of ours asks for any.
  certificatePolicies,
]);

/** They narrow what may be issued below, critical or not, and nobody here would apply them. */
const narrowing: readonly string[] = [extensionOid.nameConstraints, extensionOid.policyConstraints];

/**
 * @param first of its chain; a time-stamp authority's signs the time-stamps (RFC 3161 §2.3)
 * @throws Refused, CryptoError
 */
export function checkAuthorityCertificate(der: Buffer, use: AuthorityUse, first: boolean): void {
  const { extensions } = readX509Fields(der);
  const { all, extendedKeyUsage } = extensions;
  const strange = all.find(
    ({ oid, critical }) => narrowing.includes(oid) || (critical && !understood.has(oid)),
  );
  if (strange !== undefined)
    throw new Refused(
      `a ${use} certificate has an extension that would have no effect here (${strange.oid})`,
    );
  const allowed = extendedKeyUsage?.has(purposes[use]) === true || extendedKeyUsage?.has(anyPurpose) === true;
  const mustSay = use === 'time-stamping' && first;
  if (mustSay ? extendedKeyUsage?.has(purposes[use]) !== true : extendedKeyUsage !== undefined && !allowed)
    throw new Refused(`a certificate in a ${use} chain is not for ${use} (extendedKeyUsage)`);
}
