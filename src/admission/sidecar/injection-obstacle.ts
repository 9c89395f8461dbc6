// Pods that no sidecar is put into, whatever their policies say.

import type { Pod } from '../pod/read-pod.ts';

/**
 * Why none is; undefined: nothing is in the way. What the network of a node needs must not wait for the mesh. Envoy's images are for
 * Linux, and the API server would refuse the security context without saying whose it is.
 */
export function injectionObstacle({ spec }: Pod): 'host-network' | 'windows' | undefined {
  if (spec.hostNetwork === true) return 'host-network';
  return spec.os?.name === 'windows' ? 'windows' : undefined;
}
