import { SigningError } from '../errors.ts';

/**
 * Runs an operation that has to end by itself when its signal is aborted, and does not wait for it when it does not:
 * not every step of an SDK (finding credentials, for one) listens.
 * @throws SigningError ERR_KMS_UNAVAILABLE after the deadline; the caller's own reason when the caller aborts
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const tooLate = new SigningError(
    'ERR_KMS_UNAVAILABLE',
    `${what}: no answer within ${ms / 1000} s; check the network, proxies and credentials, then try again`,
  );
  const timer = setTimeout(() => ending.abort(tooLate), ms);
  const forward = () => ending.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  try {
    const aborted = new Promise<never>((_, reject) => {
      ending.signal.addEventListener('abort', () => reject(ending.signal.reason), { once: true });
    });
    return await Promise.race([run(ending.signal), aborted]);
  } catch (error) {
    // Whatever the SDK makes of being aborted: why it was is what matters.
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', forward);
  }
}
