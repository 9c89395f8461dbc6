/** Everything that can go wrong in this folder, by name. The names are stable. */
export type IdentityErrorCode =
  /** Somebody else than the owner may read or write a private file or directory, or it is of another kind. */
  | 'ERR_NOT_PRIVATE'
  /** A private file or directory belongs to another user. */
  | 'ERR_WRONG_OWNER'
  /** The disk is full; nothing was changed. */
  | 'ERR_STORAGE_FULL'
  /** A part of the CA's set of files is missing. */
  | 'ERR_CA_INCOMPLETE'
  /** A CA file cannot be read, or does not belong to the others. */
  | 'ERR_CA_CORRUPT'
  /** A part of the set of token keys is missing. */
  | 'ERR_TOKEN_KEYS_INCOMPLETE'
  /** A token key cannot be read, or is of another algorithm. */
  | 'ERR_TOKEN_KEYS_CORRUPT'
  /** Not a JWK set with public keys of tokens. */
  | 'ERR_TOKEN_KEYS_INVALID'
  /** A token was asked for an audience that cannot be one. */
  | 'ERR_TOKEN_AUDIENCE'
  /** The CA directory belongs to another trust domain. */
  | 'ERR_CA_TRUST_DOMAIN'
  | 'ERR_CA_EXPIRED'
  | 'ERR_CA_NOT_YET_VALID'
  /** An SVID was asked for an ID outside the trust domain. */
  | 'ERR_SVID_ID_NOT_ALLOWED'
  /** An SVID was asked for a key that has no place in the mesh. */
  | 'ERR_SVID_KEY_NOT_ALLOWED'
  /** A lifetime outside its bounds. */
  | 'ERR_LIFETIME'
  | 'ERR_BUNDLE_INVALID'
  /** Not a name a Kubernetes object can have. */
  | 'ERR_WORKLOAD_NAME'
  /** Not a string that createJoinToken printed. */
  | 'ERR_JOIN_TOKEN_MALFORMED'
  /** Never made here, or expired and swept, or its agent was forgotten. */
  | 'ERR_JOIN_TOKEN_UNKNOWN'
  | 'ERR_JOIN_TOKEN_USED'
  | 'ERR_JOIN_TOKEN_EXPIRED'
  /** Too many unused join tokens. */
  | 'ERR_JOIN_TOKEN_LIMIT'
  /** The record of a join token or an agent cannot be read. */
  | 'ERR_RECORD_CORRUPT';

/** The message says what is wrong and what to do next; it never holds a secret. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
  readonly code: IdentityErrorCode;

  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
