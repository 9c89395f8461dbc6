// Which API server a command that serves talks to: that of the cluster it runs in, or the one a kubeconfig names.

import type { ClusterAccess } from '../sources/kubernetes/cluster/access.ts';
import { inClusterAccess } from '../sources/kubernetes/cluster/in-cluster.ts';
import { accessFromKubeconfig } from '../sources/kubernetes/cluster/kubeconfig.ts';
import { KubernetesError } from '../sources/kubernetes/errors.ts';
import { CliError } from './errors.ts';

/**
 * @param kubeconfig the file of `--kubeconfig`. KUBECONFIG is not looked at: what serves does not follow a person's shell.
 * @throws CliError ERR_CONFIGURATION
 */
export async function clusterAccess(
  kubeconfig: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<ClusterAccess> {
  let access: ClusterAccess | undefined;
  try {
    access = kubeconfig === undefined ? await inClusterAccess(env) : await accessFromKubeconfig(kubeconfig);
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    throw new CliError('ERR_CONFIGURATION', error.message, { cause: error });
  }
  if (access !== undefined) return access;
  throw new CliError('ERR_CONFIGURATION', 'this process does not run in a pod of a Kubernetes cluster', {
    hint: 'name an API server with --kubeconfig FILE',
  });
}
