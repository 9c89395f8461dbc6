import { expect, test } from 'vitest';
import {
  isAboutServer,
  KubernetesError,
  type KubernetesErrorCode,
} from '../../../../src/sources/kubernetes/errors.ts';

test.each<[KubernetesErrorCode, boolean]>([
  ['ERR_KUBE_CONFIGURATION', true],
  ['ERR_KUBE_CREDENTIALS', true],
  ['ERR_KUBE_UNREACHABLE', true],
  ['ERR_KUBE_TIMEOUT', true],
  ['ERR_KUBE_UNAUTHORIZED', true],
  ['ERR_KUBE_OVERLOADED', true],
  ['ERR_KUBE_PROTOCOL', false],
  ['ERR_KUBE_TOO_LARGE', false],
  ['ERR_KUBE_FORBIDDEN', false],
  ['ERR_KUBE_NOT_FOUND', false],
  ['ERR_KUBE_CONFLICT', false],
  ['ERR_KUBE_EXPIRED', false],
  ['ERR_KUBE_REFUSED', false],
])('%s is about the API server: %s', (code, expected) => {
  expect(isAboutServer(new KubernetesError(code, 'no'))).toBe(expected);
});

test('an error of another kind is not', () => {
  expect(isAboutServer(Object.assign(new Error('no'), { code: 'ERR_KUBE_TIMEOUT' }))).toBe(false);
  expect(isAboutServer(undefined)).toBe(false);
});
