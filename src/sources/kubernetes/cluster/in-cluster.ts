// A pod's own access to the API server of its cluster.

import { join } from 'node:path';
import { KubernetesError } from '../errors.ts';
import { type ClusterAccess, readMaterial } from './access.ts';

/** Where the kubelet mounts it. */
const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Undefined outside a cluster. @throws KubernetesError ERR_KUBE_CONFIGURATION, ERR_KUBE_CREDENTIALS */
export async function inClusterAccess(
  env: NodeJS.ProcessEnv,
  directory = serviceAccountDirectory,
): Promise<ClusterAccess | undefined> {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']];
  if (!host || !port) return undefined;
  const server = URL.parse(`https://${host.includes(':') ? `[${host}]` : host}:${port}`);
  if (server === null) {
    const message = `KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address: ${host}, ${port}`;
    throw new KubernetesError('ERR_KUBE_CONFIGURATION', message);
  }
  const access = {
    server,
    tlsServerName: undefined,
    ca: { file: join(directory, 'ca.crt') },
    token: { file: join(directory, 'token') },
    client: undefined,
  };
  // Better said at the start than at the first request.
  await readMaterial(access.ca);
  await readMaterial(access.token);
  return { ...access, namespace: await readMaterial({ file: join(directory, 'namespace') }) };
}
