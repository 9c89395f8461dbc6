/** Everything that can go wrong between us and an API server, by name. The names are stable. */
export type KubernetesErrorCode =
  /** A kubeconfig, or the mounted service account, that cannot be used. */
  | 'ERR_KUBE_CONFIGURATION'
  /** A token, certificate or CA file that cannot be read at the moment. */
  | 'ERR_KUBE_CREDENTIALS'
  /** No connection, or one that broke. */
  | 'ERR_KUBE_UNREACHABLE'
  /** No answer, or no word on a watch, for longer than its limit. */
  | 'ERR_KUBE_TIMEOUT'
  /** An answer that is not what the API says it is. */
  | 'ERR_KUBE_PROTOCOL'
  /** More bytes or objects than a limit allows. */
  | 'ERR_KUBE_TOO_LARGE'
  | 'ERR_KUBE_UNAUTHORIZED'
  | 'ERR_KUBE_FORBIDDEN'
  | 'ERR_KUBE_NOT_FOUND'
  /** The object was changed by somebody else, or exists already. */
  | 'ERR_KUBE_CONFLICT'
  /** The resource version, or the continuation of a list, is older than what the server remembers. */
  | 'ERR_KUBE_EXPIRED'
  /** 429 and 5xx. */
  | 'ERR_KUBE_OVERLOADED'
  /** Any other status. */
  | 'ERR_KUBE_REFUSED';

interface KubernetesErrorOptions extends ErrorOptions {
  readonly status?: number;
  /** What the server asks us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** The message says what is wrong and what to do next; it never holds a credential. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly code: KubernetesErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: KubernetesErrorCode, message: string, options: KubernetesErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether it is one of ours, of one of these codes. */
export function isKubernetesError(
  error: unknown,
  ...codes: readonly [KubernetesErrorCode, ...KubernetesErrorCode[]]
): error is KubernetesError {
  return error instanceof KubernetesError && codes.includes(error.code);
}

/** What the API server answers for all objects alike, or does not answer at all. */
const aboutServer: ReadonlySet<KubernetesErrorCode> = new Set([
  'ERR_KUBE_CONFIGURATION',
  'ERR_KUBE_CREDENTIALS',
  'ERR_KUBE_UNREACHABLE',
  'ERR_KUBE_TIMEOUT',
  'ERR_KUBE_UNAUTHORIZED',
  'ERR_KUBE_OVERLOADED',
]);

/** Whether it says nothing about the object that was meant. A single one may all the same be about nothing else. */
export function isAboutServer(error: unknown): boolean {
  return error instanceof KubernetesError && aboutServer.has(error.code);
}
