import { isUtf8 } from 'node:buffer';
import { type DerElement, derError, inside, readOid } from '../der/read.ts';
import { tag } from '../der/tags.ts';
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

/**
 * Checks that an element is a Name (RFC 5280 §4.1.2.4) that other implementations read too: what Envoy would refuse is not
 * put into a bundle. The name itself is only ever compared, byte by byte.
 * @throws CryptoError ERR_DER
 */
export function checkName(name: DerElement, what: string): void {
  const rdns = inside(name);
  while (!rdns.atEnd) {
    const attributes = inside(rdns.next(tag.set, what));
    if (attributes.atEnd) throw derError(`${what}: a part without a value`);
    while (!attributes.atEnd) {
      const attribute = inside(attributes.next(tag.sequence, what));
      readOid(attribute.next(tag.oid, what));
      checkText(attribute.nextOfAny(what), what);
      attribute.end(what);
    }
  }
}

const printableAscii = /^[\x20-\x7e]*$/;

/** The string types that RFC 5280 leaves to new certificates; nothing else is one text to everybody. */
function checkText({ tag: type, content }: DerElement, what: string): void {
  const isAscii = type === tag.printableString || type === tag.ia5String;
  if (!isAscii && type !== tag.utf8String) throw derError(`${what}: a value that is no text`);
  const valid = isAscii ? printableAscii.test(content.toString('latin1')) : isUtf8(content);
  if (!valid) throw derError(`${what}: a text with characters that its type does not have`);
}
