/** Everything that can go wrong between us and a registry, by name. The names are stable: exit codes, metrics and the documentation rely on them. */
export type RegistryErrorCode =
  /** Not an image reference of the distribution grammar. */
  | 'ERR_REFERENCE_INVALID'
  /** Not a digest, or of an algorithm other than SHA-256 and SHA-512. */
  | 'ERR_DIGEST_INVALID'
  /** Bytes that are not the one JSON document they should be: duplicate names, too deep, not UTF-8. */
  | 'ERR_JSON_INVALID'
  /** A manifest or index that different readers would read differently, or that breaks the image specification. */
  | 'ERR_MANIFEST_INVALID'
  /** No such repository, manifest or blob. */
  | 'ERR_REGISTRY_NOT_FOUND'
  /** The registry asks for credentials, or for others than those it got. */
  | 'ERR_REGISTRY_UNAUTHORIZED'
  /** The credentials are good, but not for this. */
  | 'ERR_REGISTRY_DENIED'
  /** The registry cannot be reached, or answers with server errors only. */
  | 'ERR_REGISTRY_UNREACHABLE'
  /** The registry took longer than a request may take. */
  | 'ERR_REGISTRY_TIMEOUT'
  /** The registry keeps answering 429, or asks for a longer pause than we make. */
  | 'ERR_REGISTRY_RATE_LIMITED'
  /** An answer that is malformed, or that contradicts itself. */
  | 'ERR_REGISTRY_PROTOCOL'
  /** Content that is not what its digest names. */
  | 'ERR_REGISTRY_DIGEST_MISMATCH'
  /** More bytes, entries or pages than a limit allows. */
  | 'ERR_REGISTRY_TOO_LARGE'
  /** A redirect that is not followed: too many, in a circle, or to where the registry must not send us. */
  | 'ERR_REGISTRY_REDIRECT'
  /** An address that is not connected to: link-local, loopback, a metadata service. */
  | 'ERR_REGISTRY_ADDRESS'
  /** HTTP without TLS where it was not asked for. */
  | 'ERR_REGISTRY_PLAIN_HTTP'
  /** The certificate of the registry does not verify. */
  | 'ERR_REGISTRY_CERTIFICATE'
  /** A docker config, credential helper, CA file, mirror or proxy that cannot be used. */
  | 'ERR_REGISTRY_CONFIGURATION'
  /** Another writer kept overwriting what was written. */
  | 'ERR_REGISTRY_CONFLICT';

/** What a 404 may mean besides: a registry need not tell whom it does not know that there is something (RFC 9110, 15.5.5). */
export const orIsHidden = 'registries also say this to whom they do not let see the repository';

export function isNotFound(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.code === 'ERR_REGISTRY_NOT_FOUND';
}

/** The error this folder throws on purpose. The message says what is wrong and what to do next; it never holds a credential. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;
  /** The HTTP status that led to it, when there was one. */
  readonly status: number | undefined;
  /** Of a body that was read and is of no use: what it has cost. */
  readonly receivedBytes: number;

  constructor(
    code: RegistryErrorCode,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown; readonly receivedBytes?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.receivedBytes = options.receivedBytes ?? 0;
  }
}
