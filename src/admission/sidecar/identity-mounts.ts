// Who can reach what only the sidecar may: the agent's socket, behind which is the pod's identity, and Envoy's admin pipe.

import { isRecord } from '../../model/manifest.ts';
import { identityDriver } from '../../model/read-core.ts';
import { agentVolume, proxyVolume, sidecarName } from './names.ts';
import { containerLists, itemsOf, type PodObject, specOf } from './pod-object.ts';

export interface IdentityMount {
  /** `spec.containers[0].volumeMounts[2]` */
  readonly field: string;
  readonly container: string;
  readonly volume: string;
}

/**
 * Mounts of the sidecar's volumes, and of whatever else the agent's driver serves, by any container but the sidecar. Whether
 * what bears its name is the sidecar is for checkSidecar to say.
 */
export function identityMounts(pod: PodObject): readonly IdentityMount[] {
  const spec = specOf(pod);
  const guarded = new Set<unknown>([agentVolume, proxyVolume]);
  for (const { name, csi } of itemsOf(spec, 'volumes')) {
    if (isRecord(csi) && csi['driver'] === identityDriver) guarded.add(name);
  }
  return containerLists.flatMap((list) =>
    itemsOf(spec, list).flatMap((container, index) => {
      if (list === 'initContainers' && container['name'] === sidecarName) return [];
      return itemsOf(container, 'volumeMounts').flatMap(({ name }, mount) =>
        guarded.has(name)
          ? [
              {
                field: `spec.${list}[${index}].volumeMounts[${mount}]`,
                container: String(container['name']),
                volume: String(name),
              },
            ]
          : [],
      );
    }),
  );
}
