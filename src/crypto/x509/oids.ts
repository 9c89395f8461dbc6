/** Extensions (RFC 5280 §4.2; the alternative ones: ITU-T X.509 (10/2019) §9.8). */
export const extensionOid = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  /** The holder's second public key; in CA certificates only, because no handshake uses a second key of a leaf. */
  subjectAltPublicKeyInfo: '2.5.29.72',
  altSignatureAlgorithm: '2.5.29.73',
  altSignatureValue: '2.5.29.74',
} as const;

/** RFC 5280 §4.2.1.12 */
export const keyPurposeOid = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
} as const;

/** What a TLS peer uses its certificate for. */
export type KeyPurpose = keyof typeof keyPurposeOid;

/** Bit numbers of KeyUsage (RFC 5280 §4.2.1.3). */
export const keyUsageBit = {
  digitalSignature: 0,
  keyCertSign: 5,
  cRLSign: 6,
} as const;

/** Attribute types of a Name (RFC 5280 appendix A.1). */
export const attributeOid = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
} as const;
