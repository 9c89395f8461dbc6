// What admission decides by, from files: no API server is asked.

import { admitRequest } from '../../admission/admit-request.ts';
import type { Advice } from '../../admission/advice.ts';
import type { AdmissionContext } from '../../admission/context.ts';
import type { AdmissionDecision } from '../../admission/decision.ts';
import { AdmissionError } from '../../admission/errors.ts';
import { imageJudgeOver } from '../../admission/images/create-image-judge.ts';
import type { ImageJudge } from '../../admission/images/image-judge.ts';
import { statedImageJudge } from '../../admission/images/stated-images.ts';
import type { SidecarSettings } from '../../admission/sidecar/settings.ts';
import { anonymous } from '../../registry/auth/credentials.ts';
import type { RegistryClient } from '../../registry/client.ts';
import { CliError } from '../errors.ts';
import type { PolicyFiles } from '../policy-files.ts';
import { kmsPublicKey } from '../signing/keys.ts';
import { askingOnce } from './asking-once.ts';
import type { PodManifest } from './pod-manifests.ts';
import type { StatedImages } from './stated-by-test.ts';

/** Where images are looked at. */
export type Images =
  | { readonly kind: 'registries'; readonly client: RegistryClient }
  | { readonly kind: 'stated'; readonly images: StatedImages };

export interface OfflineOptions {
  readonly policies: PolicyFiles;
  readonly rootNamespace: string;
  readonly images: Images;
  /** Undefined: the cluster injects none. */
  readonly sidecar: SidecarSettings | undefined;
  readonly advice: Advice;
  readonly now: () => Date;
}

/** @throws CliError ERR_USAGE without a policy */
export function offlineContext(options: OfflineOptions): AdmissionContext {
  const { policies, rootNamespace, images, sidecar, advice, now } = options;
  if (policies.policies.length === 0) {
    throw new CliError('ERR_USAGE', 'there is no QuantumSecurityPolicy in the policy files', {
      hint: 'without one everything is allowed: name the files that hold them',
    });
  }
  return {
    policies: policies.policies,
    rootNamespace,
    judge: judgeOf(images, policies, now),
    // The client has those of whoever runs the command.
    credentials: async () => ({ scope: 'user', source: anonymous }),
    sidecar,
    advice,
  };
}

function judgeOf(images: Images, { configMap }: PolicyFiles, now: () => Date): ImageJudge {
  const sources = {
    kms: kmsPublicKey,
    configMap: async (namespace: string, name: string, key: string) => configMap(namespace, name, key),
  };
  if (images.kind === 'stated') return statedImageJudge(images.images, sources, now);
  return askingOnce(imageJudgeOver(() => images.client, { keySources: sources, now }));
}

/** @throws CliError ERR_USAGE that names the object, for what cannot be judged at all */
export async function decisionOn(
  { name, request }: PodManifest,
  context: AdmissionContext,
  deadlineMs: number,
): Promise<AdmissionDecision> {
  try {
    return await admitRequest(request, context, AbortSignal.timeout(deadlineMs));
  } catch (error) {
    if (!(error instanceof AdmissionError)) throw error;
    throw new CliError('ERR_USAGE', `${name}: ${error.message}`, { cause: error });
  }
}
