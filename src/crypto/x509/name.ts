import { oid, sequence, setOfOne, utf8String } from '../der/write.ts';
import { CryptoError } from '../errors.ts';
import { attributeOid } from './oids.ts';

/** The parts of a Name that Trellis writes, in this order. Identity is in the SPIFFE ID; names are for people and for finding the issuer. */
export interface DistinguishedName {
  readonly organization?: string;
  readonly commonName?: string;
}

/** ub-organization-name and ub-common-name (RFC 5280 appendix A.1), in characters. */
const maxAttributeLength = 64;

/** The empty Name, as SVIDs have it. */
export const emptyName: Buffer = sequence();

/** DER Name with one UTF8String attribute per RDN. @throws CryptoError ERR_CERT_ISSUE */
export function encodeName(name: DistinguishedName): Buffer {
  const rdns: Buffer[] = [];
  for (const attribute of ['organization', 'commonName'] as const) {
    const value = name[attribute];
    if (value === undefined) continue;
    if (value === '' || [...value].length > maxAttributeLength) {
      throw new CryptoError('ERR_CERT_ISSUE', `${attribute} must have 1 to ${maxAttributeLength} characters`);
    }
    rdns.push(setOfOne(sequence(oid(attributeOid[attribute]), utf8String(value))));
  }
  return sequence(...rdns);
}
