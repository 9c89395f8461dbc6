// Whose credentials an image is looked at with: those that the kubelet would pull it with. The pod's own Secrets, or when it names
// none those of its service account, read one by one and from the namespace of the pod alone; then what every pod of the node has.

import { createHash } from 'node:crypto';
import { anonymous, type CredentialSource } from '../../registry/auth/credentials.ts';
import { type PullSecretEntry, pullSecretCandidates } from '../../registry/auth/pull-secret.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import type { PullCredentials } from '../images/image-judge.ts';
import type { PullIdentity } from '../pod/pull-identity.ts';
import { defaultPullCredentialLimits, type PullCredentialLimits } from './limits.ts';
import { createPullSecrets, type PullSecret } from './pull-secrets.ts';

export interface KubePullCredentialsOptions {
  readonly client: KubeClient;
  /** What the process itself has, such as `dockerCredentials` with its helpers; tried after the Secrets. */
  readonly node?: CredentialSource | undefined;
  readonly now: () => Date;
  readonly limits?: Partial<PullCredentialLimits>;
}

/** @throws KubernetesError when the API server does not answer; the reason of `signal` */
export type PullCredentialsOf = (pod: PullIdentity, signal: AbortSignal) => Promise<PullCredentials>;

export function kubePullCredentials(options: KubePullCredentialsOptions): PullCredentialsOf {
  const { client, node = anonymous, now } = options;
  const limits = { ...defaultPullCredentialLimits, ...options.limits };
  const secrets = createPullSecrets(client, { ...limits, now });

  return async ({ namespace, serviceAccountName, imagePullSecrets }, signal) => {
    const account =
      imagePullSecrets.length > 0
        ? { names: imagePullSecrets, why: undefined }
        : await secrets.ofServiceAccount(namespace, serviceAccountName, signal);
    const names = [...new Set(account.names)];
    const read = names.slice(0, limits.maxSecrets);
    const found = await Promise.all(read.map((name) => secrets.secret(namespace, name, signal)));
    const entries = found.flatMap((each) => (each.kind === 'entries' ? each.entries : []));
    const hints = [
      ...(account.why === undefined ? [] : [account.why]),
      ...found.flatMap((each) => (each.kind === 'unusable' ? each.why : [])),
      ...(names.length > read.length
        ? [`the pod names ${names.length} pull secrets, of which the first ${read.length} are looked at`]
        : []),
    ];
    const hint = hints.length === 0 ? undefined : hints.join('; ');
    const [source, ...others] = sourcesOf(entries, node, limits.maxCandidates);
    const bytes = found.reduce((sum, each) => sum + (each.kind === 'entries' ? each.bytes : 0), 0);
    return { scope: scopeOf(namespace, found, hint), source, others, hint, bytes };
  };
}

/** The first for a repository, the second, and so on: each is asked for the one of its place in the order. */
function sourcesOf(
  entries: readonly PullSecretEntry[],
  node: CredentialSource,
  maxCandidates: number,
): readonly [CredentialSource, ...CredentialSource[]] {
  const sourceAt =
    (index: number): CredentialSource =>
    async (repository, signal) => {
      const own = pullSecretCandidates(entries, repository).slice(0, maxCandidates - 1);
      return index === own.length ? await node(repository, signal) : own[index];
    };
  const places = Math.min(entries.length + 1, maxCandidates);
  const others = Array.from({ length: places - 1 }, (_, index) => sourceAt(index + 1));
  return [sourceAt(0), ...others];
}

/** Pods without Secrets are the same to registries in all namespaces. */
function scopeOf(namespace: string, found: readonly PullSecret[], hint: string | undefined): string {
  const versions = found.flatMap((each) => (each.kind === 'entries' ? each.version : []));
  if (versions.length === 0 && hint === undefined) return 'node';
  const content = JSON.stringify([namespace, versions, hint ?? null]);
  return createHash('sha256').update(content).digest('hex');
}
