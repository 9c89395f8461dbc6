// The one table of algorithms. Whoever needs an OID, a size, a TLS name or a JOSE name reads it here, so that a new
// parameter set is one entry and a retired one is one deletion.

/** What Trellis knows about a signature algorithm. Sizes are in bytes. */
export interface SignatureAlgorithmInfo {
  /** Object identifier of the signature, in certificates and CSRs. */
  readonly oid: string;
  /** Object identifier of the public key; the same as `oid` for ML-DSA (RFC 9881 §2), id-ecPublicKey for ECDSA (RFC 5480 §2.1.1). */
  readonly keyOid: string;
  /** Object identifier of the named curve, which is the key's AlgorithmIdentifier parameter (RFC 5480 §2.1.1.1). ML-DSA has no parameters. */
  readonly curveOid: string | undefined;
  /** The contents of subjectPublicKey; an uncompressed point for ECDSA. */
  readonly publicKeyBytes: number;
  /** Exact for ML-DSA; the longest DER encoding for ECDSA. */
  readonly signatureBytes: number;
  /** The 32-byte seed ξ for ML-DSA (FIPS 204 §3.6.3); absent for ECDSA. */
  readonly seedBytes: number | undefined;
  /** Name of the TLS SignatureScheme in Envoy, BoringSSL and OpenSSL. */
  readonly tlsName: string;
  /** TLS SignatureScheme code point. */
  readonly tlsCodepoint: number;
  /** How node:crypto names the key. */
  readonly nodeKeyType: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87' | NodeEcKeyType;
  /** The digest node:crypto wants; null where the algorithm hashes by itself. */
  readonly hash: 'sha256' | 'sha384' | null;
  /** JOSE `alg` (RFC 9964, RFC 7518). */
  readonly joseName: string;
  /** False: signatures are verified, but Trellis makes no such key. */
  readonly mayIssue: boolean;
  readonly postQuantum: boolean;
  /** NIST security category (FIPS 204 Table 1); 0 for algorithms that a quantum computer breaks. */
  readonly nistLevel: 0 | 1 | 2 | 3 | 5;
}

interface NodeEcKeyType {
  readonly type: 'ec';
  /** OpenSSL's name of the curve. */
  readonly namedCurve: 'prime256v1' | 'secp384r1';
}

const ecPublicKeyOid = '1.2.840.10045.2.1';

/** FIPS 204 pure ML-DSA with an empty context (RFC 9881 §3), and ECDSA as the classical half of a hybrid. */
export const signatureAlgorithms = {
  'ML-DSA-44': {
    oid: '2.16.840.1.101.3.4.3.17',
    keyOid: '2.16.840.1.101.3.4.3.17',
    curveOid: undefined,
    publicKeyBytes: 1312,
    signatureBytes: 2420,
    seedBytes: 32,
    tlsName: 'mldsa44',
    tlsCodepoint: 0x0904,
    nodeKeyType: 'ml-dsa-44',
    hash: null,
    joseName: 'ML-DSA-44',
    // Category 2 is below every profile Trellis ships (facts: CNSA, BSI); accepted where somebody else signed with it.
    mayIssue: false,
    postQuantum: true,
    nistLevel: 2,
  },
  'ML-DSA-65': {
    oid: '2.16.840.1.101.3.4.3.18',
    keyOid: '2.16.840.1.101.3.4.3.18',
    curveOid: undefined,
    publicKeyBytes: 1952,
    signatureBytes: 3309,
    seedBytes: 32,
    tlsName: 'mldsa65',
    tlsCodepoint: 0x0905,
    nodeKeyType: 'ml-dsa-65',
    hash: null,
    joseName: 'ML-DSA-65',
    mayIssue: true,
    postQuantum: true,
    nistLevel: 3,
  },
  'ML-DSA-87': {
    oid: '2.16.840.1.101.3.4.3.19',
    keyOid: '2.16.840.1.101.3.4.3.19',
    curveOid: undefined,
    publicKeyBytes: 2592,
    signatureBytes: 4627,
    seedBytes: 32,
    tlsName: 'mldsa87',
    tlsCodepoint: 0x0906,
    nodeKeyType: 'ml-dsa-87',
    hash: null,
    joseName: 'ML-DSA-87',
    mayIssue: true,
    postQuantum: true,
    nistLevel: 5,
  },
  'ECDSA-P256': {
    oid: '1.2.840.10045.4.3.2',
    keyOid: ecPublicKeyOid,
    curveOid: '1.2.840.10045.3.1.7',
    publicKeyBytes: 65,
    signatureBytes: 72,
    seedBytes: undefined,
    tlsName: 'ecdsa_secp256r1_sha256',
    tlsCodepoint: 0x0403,
    nodeKeyType: { type: 'ec', namedCurve: 'prime256v1' },
    hash: 'sha256',
    joseName: 'ES256',
    mayIssue: true,
    postQuantum: false,
    nistLevel: 0,
  },
  'ECDSA-P384': {
    oid: '1.2.840.10045.4.3.3',
    keyOid: ecPublicKeyOid,
    curveOid: '1.3.132.0.34',
    publicKeyBytes: 97,
    signatureBytes: 104,
    seedBytes: undefined,
    tlsName: 'ecdsa_secp384r1_sha384',
    tlsCodepoint: 0x0503,
    nodeKeyType: { type: 'ec', namedCurve: 'secp384r1' },
    hash: 'sha384',
    joseName: 'ES384',
    mayIssue: true,
    postQuantum: false,
    nistLevel: 0,
  },
} as const satisfies Record<string, SignatureAlgorithmInfo>;

export type SignatureAlgorithm = keyof typeof signatureAlgorithms;

/** The algorithms Trellis makes keys of. */
export type IssuingAlgorithm = {
  [A in SignatureAlgorithm]: (typeof signatureAlgorithms)[A]['mayIssue'] extends true ? A : never;
}[SignatureAlgorithm];

/** What Trellis knows about a key-encapsulation mechanism (FIPS 203). Sizes are in bytes. */
export interface KemAlgorithmInfo {
  readonly oid: string;
  readonly nodeKeyType: 'ml-kem-768' | 'ml-kem-1024';
  readonly publicKeyBytes: number;
  readonly ciphertextBytes: number;
  readonly sharedKeyBytes: number;
  /** The seed d ‖ z (FIPS 203 §7.1). */
  readonly seedBytes: number;
  readonly nistLevel: 3 | 5;
}

export const kemAlgorithms = {
  'ML-KEM-768': {
    oid: '2.16.840.1.101.3.4.4.2',
    nodeKeyType: 'ml-kem-768',
    publicKeyBytes: 1184,
    ciphertextBytes: 1088,
    sharedKeyBytes: 32,
    seedBytes: 64,
    nistLevel: 3,
  },
  'ML-KEM-1024': {
    oid: '2.16.840.1.101.3.4.4.3',
    nodeKeyType: 'ml-kem-1024',
    publicKeyBytes: 1568,
    ciphertextBytes: 1568,
    sharedKeyBytes: 32,
    seedBytes: 64,
    nistLevel: 5,
  },
} as const satisfies Record<string, KemAlgorithmInfo>;

export type KemAlgorithm = keyof typeof kemAlgorithms;

/** What Trellis knows about a TLS key-exchange group. */
export interface KeyExchangeGroupInfo {
  /** Name in OpenSSL and Node (`ecdhCurve`). */
  readonly tlsName: string;
  /** Name in Envoy's `ecdh_curves` and in its `ssl.curves.*` statistics. */
  readonly envoyName: string;
  /** TLS NamedGroup code point. */
  readonly codepoint: number;
  readonly kem: KemAlgorithm;
  /** True when a classical exchange runs beside the KEM, so that breaking one of the two is not enough. */
  readonly hybrid: boolean;
  readonly nistLevel: 3 | 5;
}

export const keyExchangeGroups = {
  X25519MLKEM768: {
    tlsName: 'X25519MLKEM768',
    envoyName: 'X25519MLKEM768',
    codepoint: 0x11ec,
    kem: 'ML-KEM-768',
    hybrid: true,
    nistLevel: 3,
  },
  MLKEM1024: {
    tlsName: 'MLKEM1024',
    envoyName: 'MLKEM1024',
    codepoint: 0x0202,
    kem: 'ML-KEM-1024',
    hybrid: false,
    nistLevel: 5,
  },
} as const satisfies Record<string, KeyExchangeGroupInfo>;

export type KeyExchangeGroup = keyof typeof keyExchangeGroups;

/** What every TLS connection of the mesh uses, unless a compliance profile asks for more. */
export const meshTls = {
  version: 'TLSv1.3',
  group: 'X25519MLKEM768',
  signature: 'ML-DSA-65',
  /** Honoured by Node; Envoy ignores cipher lists in TLS 1.3 and negotiates AES-128-GCM. */
  cipher: 'TLS_AES_256_GCM_SHA384',
} as const satisfies {
  version: 'TLSv1.3';
  group: KeyExchangeGroup;
  signature: SignatureAlgorithm;
  cipher: string;
};

/**
 * The algorithms that may appear anywhere in a certificate chain of the mesh: key or signature, leaf or root. One
 * classical link would let whoever breaks ECDSA mint mesh identities.
 */
export const meshSignatureAlgorithms = [
  'ML-DSA-65',
  'ML-DSA-87',
] as const satisfies readonly IssuingAlgorithm[];

/** Names are exact: the names drafts used before FIPS 204 (such as "Dilithium3") denote other, incompatible schemes. */
export function isSignatureAlgorithm(name: string): name is SignatureAlgorithm {
  return Object.hasOwn(signatureAlgorithms, name);
}

/** The algorithm whose signatures carry this object identifier, if Trellis has it. */
export function signatureAlgorithmByOid(oid: string): SignatureAlgorithm | undefined {
  return algorithmNames().find((name) => signatureAlgorithms[name].oid === oid);
}

/** The algorithm of a public key with this AlgorithmIdentifier, if Trellis has it. */
export function signatureAlgorithmByKey(
  keyOid: string,
  curveOid: string | undefined,
): SignatureAlgorithm | undefined {
  return algorithmNames().find((name) => {
    const info = signatureAlgorithms[name];
    return info.keyOid === keyOid && info.curveOid === curveOid;
  });
}

function algorithmNames(): SignatureAlgorithm[] {
  return Object.keys(signatureAlgorithms).filter(isSignatureAlgorithm);
}
