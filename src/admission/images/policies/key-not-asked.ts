/** A key that is in a key management service, which is not to be asked now: says nothing about the key, nor about the policy. */
export class KeyNotAskedError extends Error {
  override readonly name = 'KeyNotAskedError';
}
