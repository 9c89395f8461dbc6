// What an API server says when it does not do what it was asked to: a Status object, or something else entirely.

import { isRecord, ownField } from '../../../model/manifest.ts';
import { firstLine } from '../../../model/problem.ts';
import { KubernetesError, type KubernetesErrorCode } from '../errors.ts';

const codes: Readonly<Record<number, KubernetesErrorCode>> = {
  401: 'ERR_KUBE_UNAUTHORIZED',
  403: 'ERR_KUBE_FORBIDDEN',
  404: 'ERR_KUBE_NOT_FOUND',
  409: 'ERR_KUBE_CONFLICT',
  410: 'ERR_KUBE_EXPIRED',
  429: 'ERR_KUBE_OVERLOADED',
};

const hints: Partial<Record<KubernetesErrorCode, string>> = {
  ERR_KUBE_UNAUTHORIZED: 'the token or client certificate does not count there (any more); renew it',
  ERR_KUBE_FORBIDDEN: 'give our service account the role that comes with the chart',
  ERR_KUBE_NOT_FOUND: 'if it is a kind of Trellis, install its CustomResourceDefinition',
};

/** @param what the request, for the message; @param status also of an ERROR event, where it is the Status's `code` */
export function statusError(
  what: string,
  status: number,
  body: unknown,
  retryAfter?: string | string[],
): KubernetesError {
  const code = isTooNew(body) ? 'ERR_KUBE_EXPIRED' : codeOf(status);
  const message = ownField(body, 'message');
  const said = typeof message === 'string' ? `: ${firstLine(message)}` : '';
  const hint = hints[code] === undefined ? '' : `; ${hints[code]}`;
  const retryAfterMs =
    secondsOf(retryAfter) ?? secondsOf(ownField(ownField(body, 'details'), 'retryAfterSeconds'));
  return new KubernetesError(code, `${what}: status ${status}${said}${hint}`, {
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function codeOf(status: number): KubernetesErrorCode {
  return codes[status] ?? (status >= 500 ? 'ERR_KUBE_OVERLOADED' : 'ERR_KUBE_REFUSED');
}

/** A version from the future: the store was set back. Waiting for it would be waiting in vain. */
function isTooNew(body: unknown): boolean {
  const causes = ownField(ownField(body, 'details'), 'causes');
  return (
    Array.isArray(causes) &&
    causes.some((cause) => isRecord(cause) && cause['reason'] === 'ResourceVersionTooLarge')
  );
}

/** Seconds are all that API servers send. */
function secondsOf(value: unknown): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  const seconds = typeof text === 'string' && /^\d{1,6}$/.test(text) ? Number(text) : text;
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : undefined;
}
