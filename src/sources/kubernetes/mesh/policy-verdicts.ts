// What became of each policy, for its author: the others learn it from the log.

import type { NamespacedName, Policy } from '../../../model/mesh.ts';
import type { Problem } from '../../../model/problem.ts';
import type { MeshObject, Version } from './mesh-objects.ts';

export interface PolicyVerdict {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Of the object that this is about. */
  readonly resourceVersion: string;
  readonly generation: number;
  /** Its status, as the API server has it. */
  readonly status: unknown;
  /** In force as it is written. */
  readonly inForce: boolean;
  /** What is in force then. */
  readonly policy: Policy | undefined;
  /** Why not; empty also where it cannot be told. */
  readonly problems: readonly Problem[];
}

/** @param problems of the state that was made of these objects */
export function policyVerdicts(
  objects: ReadonlyMap<string, MeshObject>,
  problems: readonly Problem[],
): readonly PolicyVerdict[] {
  const errors = Map.groupBy(
    problems.filter(
      ({ severity, object }) => severity === 'error' && object?.kind === 'QuantumSecurityPolicy',
    ),
    ({ object }): NamespacedName => `${object?.namespace ?? ''}/${object?.name ?? ''}`,
  );
  return [...objects].flatMap(([key, { uid, resourceVersion, written, good, current }]) => {
    const [namespace = '', name = ''] = key.split('/');
    const inForce = good === current;
    return written === undefined
      ? []
      : [
          {
            namespace,
            name,
            uid,
            resourceVersion,
            ...written,
            inForce,
            policy: inForce ? policyOf(current) : undefined,
            problems: errors.get(`${namespace}/${name}`) ?? [],
          },
        ];
  });
}

function policyOf({ parsed: { resource } }: Version): Policy | undefined {
  if (resource?.kind !== 'QuantumSecurityPolicy') return undefined;
  const { namespace, name, spec } = resource;
  return { namespace, name, spec };
}
