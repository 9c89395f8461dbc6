// From the Secrets and service accounts of a namespace to what is in them, remembered for some seconds.

import { z } from 'zod';
import {
  type PullSecretEntry,
  type PullSecretType,
  pullSecretKeys,
  readPullSecret,
} from '../../registry/auth/pull-secret.ts';
import { RegistryError } from '../../registry/errors.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { createRemembered } from '../sharing/remembered.ts';
import { getObject } from './get-object.ts';
import type { PullCredentialLimits } from './limits.ts';

/** What one name stands for. */
export type PullSecret =
  | {
      readonly kind: 'entries';
      readonly entries: readonly PullSecretEntry[];
      /** Of this content, and of none other. */
      readonly version: string;
      /** Of memory. */
      readonly bytes: number;
    }
  /** The kubelet goes on without it. */
  | { readonly kind: 'absent' }
  /** A sentence about why it is of no use. */
  | { readonly kind: 'unusable'; readonly why: string };

export interface PullSecrets {
  /** @throws KubernetesError; the reason of `signal` */
  secret(namespace: string, name: string, signal: AbortSignal): Promise<PullSecret>;
  /** The names that a service account brings to pods that name none. @throws as `secret` */
  ofServiceAccount(namespace: string, name: string, signal: AbortSignal): Promise<AccountSecrets>;
}

export interface AccountSecrets {
  readonly names: readonly string[];
  /** A sentence about why they are not known. */
  readonly why: string | undefined;
}

const secretForm = z.object({
  type: z.string().optional(),
  metadata: z.object({ uid: z.string(), resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});

const accountForm = z.object({
  imagePullSecrets: z.array(z.object({ name: z.string().optional() })).nullish(),
});

/** The entry in the cache. */
const keptBytes = 512;
/** Of base64: it is held decoded and in parts. */
const bytesPerCharacter = 3;

export function createPullSecrets(
  client: KubeClient,
  { lifeMs, maxBytes, now }: Pick<PullCredentialLimits, 'lifeMs' | 'maxBytes'> & { readonly now: () => Date },
): PullSecrets {
  const secrets = createRemembered<PullSecret>({
    ...{ lifeMs, maxBytes, now },
    bytesOf: (secret) => (secret.kind === 'entries' ? secret.bytes : keptBytes),
  });
  const accounts = createRemembered<AccountSecrets>({
    ...{ lifeMs, maxBytes, now },
    bytesOf: ({ names }) => keptBytes + names.join('').length,
  });
  return {
    secret: (namespace, name, signal) =>
      secrets(`${namespace}/${name}`, signal, async (shared): Promise<PullSecret> => {
        const got = await getObject(client, namespace, 'secrets', name, shared);
        if (got.kind === 'absent') return { kind: 'absent' };
        return got.kind === 'found'
          ? readSecret(got.object, `Secret ${namespace}/${name}`)
          : { kind: 'unusable', why: forbidden(`the Secret ${namespace}/${name}`) };
      }),
    ofServiceAccount: (namespace, name, signal) =>
      accounts(`${namespace}/${name}`, signal, async (shared) => {
        const got = await getObject(client, namespace, 'serviceaccounts', name, shared);
        if (got.kind === 'absent') return { names: [], why: undefined };
        if (got.kind === 'forbidden') {
          return { names: [], why: forbidden(`the ServiceAccount ${namespace}/${name}`) };
        }
        const { imagePullSecrets } = accountForm.parse(got.object);
        return { names: (imagePullSecrets ?? []).flatMap((each) => each.name || []), why: undefined };
      }),
  };
}

function readSecret(found: unknown, where: string): PullSecret {
  const { type = '', metadata, data } = secretForm.parse(found);
  const text = isPullSecretType(type) ? data?.[pullSecretKeys[type]] : undefined;
  if (!isPullSecretType(type) || text === undefined) {
    const why = `${where} is no Secret with credentials for registries (kubectl create secret docker-registry makes one)`;
    return { kind: 'unusable', why };
  }
  try {
    const entries = readPullSecret(type, Buffer.from(text, 'base64'), where);
    const version = `${metadata.uid} ${metadata.resourceVersion}`;
    return { kind: 'entries', entries, version, bytes: keptBytes + text.length * bytesPerCharacter };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { kind: 'unusable', why: error.message };
  }
}

function isPullSecretType(type: string): type is PullSecretType {
  return Object.hasOwn(pullSecretKeys, type);
}

function forbidden(what: string): string {
  return `${what} may not be read by this installation: allow the namespace (webhook.pullSecrets.namespaces of the chart)`;
}
