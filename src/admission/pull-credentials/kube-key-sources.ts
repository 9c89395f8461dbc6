// Where keys of policies are in a cluster: ConfigMaps of the policy's own namespace, and key management services.

import { z } from 'zod';
import { openKmsPublicKey } from '../../signing/kms/open.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import type { KeySources } from '../images/policies/authorities.ts';
import { getObject } from './get-object.ts';

const configMapForm = z.object({
  data: z.record(z.string(), z.string()).nullish(),
  binaryData: z.record(z.string(), z.string()).nullish(),
});

export interface KubeKeySourcesOptions {
  readonly client: KubeClient;
  /** Where the SDKs of key management services find credentials and region. */
  readonly env: NodeJS.ProcessEnv;
}

/** ConfigMaps that are not there, or may not be read, have no entries. */
export function kubeKeySources({ client, env }: KubeKeySourcesOptions): KeySources {
  const nobody = new AbortController().signal;
  return {
    kms: (uri, signal) => openKmsPublicKey(uri, { env }, signal),
    configMap: async (namespace, name, key, signal = nobody) => {
      const got = await getObject(client, namespace, 'configmaps', name, signal);
      if (got.kind !== 'found') return undefined;
      const { data, binaryData } = configMapForm.parse(got.object);
      const [text, binary] = [own(data, key), own(binaryData, key)];
      if (text !== undefined) return Buffer.from(text, 'utf8');
      return binary === undefined ? undefined : Buffer.from(binary, 'base64');
    },
  };
}

function own(entries: Readonly<Record<string, string>> | null | undefined, key: string): string | undefined {
  return entries && Object.hasOwn(entries, key) ? entries[key] : undefined;
}
