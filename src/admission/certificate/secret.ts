// The Secret in which the replicas share the serving certificate. It is read by name and replaced only in the version that was read.

import { isRecord, ownField } from '../../model/manifest.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { getIfThere } from '../../sources/kubernetes/cluster/get-if-there.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import { CertificateError } from './errors.ts';
import { emptyState, readSecretData, type StoredState, writeSecretData } from './secret-data.ts';
import type { ServingState } from './serving-state.ts';

export interface SecretLocation {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of one request. */
  readonly requestMs: number;
}

export interface StoredSecret {
  readonly state: StoredState;
  /** As it came; undefined when there is none. */
  readonly object: Readonly<Record<string, unknown>> | undefined;
}

/** @throws KubernetesError, CertificateError, the signal's reason */
export async function readSecret(location: SecretLocation, signal: AbortSignal): Promise<StoredSecret> {
  const { client, requestMs } = location;
  const object = await getIfThere(client, { path: pathOf(location), signal, timeoutMs: requestMs });
  if (object === undefined) return { state: emptyState, object: undefined };
  if (!isRecord(object) || typeof ownField(ownField(object, 'metadata'), 'resourceVersion') !== 'string') {
    throw new CertificateError('ERR_SERVING_CERTIFICATE_PROTOCOL', 'the answer is no Secret');
  }
  return { state: readSecretData(object['data']), object };
}

/**
 * Replaces what was read.
 * @throws KubernetesError ERR_KUBE_CONFLICT when somebody else has written since, and others; CertificateError
 */
export async function writeSecret(
  location: SecretLocation,
  read: StoredSecret,
  state: ServingState,
  signal: AbortSignal,
): Promise<void> {
  const { client, namespace, name, requestMs } = location;
  const data = writeSecretData(state);
  const common = { query: { fieldManager }, signal, timeoutMs: requestMs };
  if (read.object !== undefined) {
    const kept = ownField(read.object, 'data');
    const body = { ...read.object, data: { ...(isRecord(kept) ? kept : {}), ...data } };
    await client.json({ ...common, method: 'PUT', path: pathOf(location), body });
    return;
  }
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, type: 'Opaque', data };
  try {
    await client.json({ ...common, method: 'POST', path: collectionOf(location), body });
  } catch (cause) {
    // The chart gives no right to create Secrets: among them are tokens of every service account of the namespace.
    if (!isKubernetesError(cause, 'ERR_KUBE_FORBIDDEN')) throw cause;
    throw new CertificateError(
      'ERR_SERVING_CERTIFICATE_NO_SECRET',
      `there is no Secret ${namespace}/${name} for the serving certificate, and it may not be created from here: upgrade the release, or kubectl create secret generic -n ${namespace} ${name}`,
      { cause },
    );
  }
}

/** As it stands in `metadata.managedFields` of what we write. */
export const fieldManager = 'trellis-webhook';

function collectionOf({ namespace }: SecretLocation): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
}

function pathOf(location: SecretLocation): string {
  return `${collectionOf(location)}/${encodeURIComponent(location.name)}`;
}
