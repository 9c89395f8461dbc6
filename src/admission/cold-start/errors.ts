/** What of a cluster cannot be read. The names are stable. */
export type ClusterObjectErrorCode =
  /** An object that an API server would not have taken. */
  'ERR_OBJECT_INVALID';

/** The message says which object, and what is wrong with it. */
export class ClusterObjectError extends Error {
  override readonly name = 'ClusterObjectError';
  readonly code: ClusterObjectErrorCode = 'ERR_OBJECT_INVALID';
}
