// What admission reads of a pod, or of the template of one. Fields that it does not judge by are the API server's business; what
// it does judge by must have the type that the API gives it, or nothing is known of the pod.

import { z } from 'zod';
import { readWith } from '../../model/read-with.ts';
import { AdmissionError } from '../errors.ts';
import { list, stringMap } from './fields.ts';

const windowsOptions = z.object({ hostProcess: z.boolean().nullish() }).nullish();

const container = z.object({
  name: z.string(),
  image: z.string().nullish(),
  ports: list(z.object({ containerPort: z.number().nullish(), protocol: z.string().nullish() })),
  /** Of ephemeral containers. */
  targetContainerName: z.string().nullish(),
  securityContext: z
    .object({
      privileged: z.boolean().nullish(),
      capabilities: z.object({ add: list(z.string()) }).nullish(),
      runAsUser: z.number().nullish(),
      runAsGroup: z.number().nullish(),
      windowsOptions,
    })
    .nullish(),
});

const volume = z.object({
  name: z.string(),
  hostPath: z.object({ path: z.string() }).nullish(),
  image: z.object({ reference: z.string().nullish() }).nullish(),
});

const podSpec = z.object({
  containers: list(container),
  initContainers: list(container),
  ephemeralContainers: list(container),
  volumes: list(volume),
  serviceAccountName: z.string().nullish(),
  /** The older name of the same; the API server keeps both alike. */
  serviceAccount: z.string().nullish(),
  imagePullSecrets: list(z.object({ name: z.string().nullish() })),
  hostNetwork: z.boolean().nullish(),
  hostPID: z.boolean().nullish(),
  hostIPC: z.boolean().nullish(),
  os: z.object({ name: z.string().nullish() }).nullish(),
  shareProcessNamespace: z.boolean().nullish(),
  securityContext: z
    .object({
      runAsUser: z.number().nullish(),
      runAsGroup: z.number().nullish(),
      fsGroup: z.number().nullish(),
      supplementalGroups: list(z.number()),
      windowsOptions,
    })
    .nullish(),
});

const pod = z.object({
  metadata: z
    .object({ labels: stringMap })
    .nullish()
    .transform((metadata) => metadata ?? { labels: {} }),
  spec: podSpec,
});

export type Pod = z.infer<typeof pod>;
export type PodSpec = Pod['spec'];
export type Container = PodSpec['containers'][number];
export type Volume = PodSpec['volumes'][number];

/**
 * @param object a Pod, or the template of one
 * @param prefix where it stands, for messages: `['spec', 'template']`
 * @throws AdmissionError ERR_POD_INVALID
 */
export function readPod(object: unknown, prefix: readonly string[] = []): Pod {
  const { value, issues } = readWith(pod, object, prefix);
  if (value !== undefined) return value;
  const problems = issues.map(({ message }) => message).join('; ');
  throw new AdmissionError('ERR_POD_INVALID', `this is no pod that can be judged: ${problems}`);
}
