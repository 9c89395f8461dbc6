// The extensions Trellis puts into certificates.

import { createHash } from 'node:crypto';
import type { SignatureAlgorithm } from '../algorithms.ts';
import {
  bitString,
  derTrue,
  implicitPrimitive,
  namedBits,
  octetString,
  oid,
  sequence,
  smallInteger,
} from '../der/write.ts';
import { encodeSignatureAlgorithm } from '../spki.ts';
import { extensionOid, keyPurposeOid, keyUsageBit } from './oids.ts';

const keyIdBytes = 20;
const uniformResourceIdentifier = 6;
const dnsName = 2;

/** RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the contents of subjectPublicKey. RFC 5280's own uses SHA-1. */
export function keyIdentifier(keyBits: Uint8Array): Buffer {
  return createHash('sha256').update(keyBits).digest().subarray(0, keyIdBytes);
}

export function subjectKeyIdExtension(keyId: Uint8Array): Buffer {
  return extension(extensionOid.subjectKeyIdentifier, false, octetString(keyId));
}

export function authorityKeyIdExtension(keyId: Uint8Array): Buffer {
  return extension(extensionOid.authorityKeyIdentifier, false, sequence(implicitPrimitive(0, keyId)));
}

/** Critical, as X509-SVID §4.1 and RFC 5280 §4.2.1.9 ask of CAs. */
export function caConstraintsExtension(pathLen: number | undefined): Buffer {
  const limit = pathLen === undefined ? [] : [smallInteger(pathLen)];
  return extension(extensionOid.basicConstraints, true, sequence(derTrue, ...limit));
}

/** X509-SVID §4.3: critical. */
export const caKeyUsageExtension: Buffer = extension(
  extensionOid.keyUsage,
  true,
  namedBits([keyUsageBit.keyCertSign, keyUsageBit.cRLSign]),
);

export const leafKeyUsageExtension: Buffer = extension(
  extensionOid.keyUsage,
  true,
  namedBits([keyUsageBit.digitalSignature]),
);

/** X509-SVID §4.4: both purposes, because a workload is client and server. */
export const leafExtendedKeyUsageExtension: Buffer = extension(
  extensionOid.extendedKeyUsage,
  false,
  sequence(oid(keyPurposeOid.server), oid(keyPurposeOid.client)),
);

export const serverExtendedKeyUsageExtension: Buffer = extension(
  extensionOid.extendedKeyUsage,
  false,
  sequence(oid(keyPurposeOid.server)),
);

/** RFC 5280 §4.2.1.6: critical when there is no subject name beside it. */
export function subjectAltNameExtension(uri: string, critical: boolean): Buffer {
  const name = implicitPrimitive(uniformResourceIdentifier, Buffer.from(uri, 'latin1'));
  return extension(extensionOid.subjectAltName, critical, sequence(name));
}

/** Critical, for certificates with an empty subject (RFC 5280 §4.2.1.6). */
export function dnsNamesExtension(names: readonly string[]): Buffer {
  const general = names.map((name) => implicitPrimitive(dnsName, Buffer.from(name, 'latin1')));
  return extension(extensionOid.subjectAltName, true, sequence(...general));
}

export function counterKeyExtension(spki: Uint8Array): Buffer {
  return extension(extensionOid.subjectAltPublicKeyInfo, false, spki);
}

export function counterAlgorithmExtension(algorithm: SignatureAlgorithm): Buffer {
  return extension(extensionOid.altSignatureAlgorithm, false, encodeSignatureAlgorithm(algorithm));
}

export function counterValueExtension(signature: Uint8Array): Buffer {
  return extension(extensionOid.altSignatureValue, false, bitString(signature));
}

function extension(dotted: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(dotted), ...(critical ? [derTrue] : []), octetString(value));
}
