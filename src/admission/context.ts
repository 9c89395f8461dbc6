// What admission decides by, apart from the object.

import type { Policy } from '../model/mesh.ts';
import { policiesForNamespace } from '../policy/selection.ts';
import type { Advice } from './advice.ts';
import type { ImageJudge, PullCredentials } from './images/image-judge.ts';
import type { PullIdentity } from './pod/pull-identity.ts';
import type { SidecarSettings } from './sidecar/settings.ts';

export interface AdmissionContext {
  /** All of the mesh. */
  readonly policies: readonly Policy[];
  /** Its policies hold for every namespace. */
  readonly rootNamespace: string;
  readonly judge: ImageJudge;
  /** Who we are to registries on behalf of this pod. Asked only where an image may need a registry. */
  readonly credentials: (pod: PullIdentity, signal: AbortSignal) => Promise<PullCredentials>;
  /** Undefined: this installation injects none. */
  readonly sidecar: SidecarSettings | undefined;
  /** For whoever is told. */
  readonly advice: Advice;
}

/** The policies that hold for a namespace. */
export function holdingPolicies(
  { policies, rootNamespace }: Pick<AdmissionContext, 'policies' | 'rootNamespace'>,
  namespace: string,
): readonly Policy[] {
  return policiesForNamespace(policies, rootNamespace, namespace);
}
