// The webhook's questions asked as an API server asks them, where there is none that could.

import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import type { AdmissionCluster, Replica } from '../admission.ts';
import { webhookName } from '../admission.ts';
import { onEnd } from '../cleanup.ts';
import { releaseNamespace } from '../helm.ts';
import { requestOf, reviewOf } from '../review.ts';

export interface DirectAnswer {
  readonly allowed: boolean;
  /** Why not; empty when it is. */
  readonly message: string;
}

/** Whether a pod may be made in a namespace. Rejects when there is no answer. */
export type AskDirectly = (
  replica: Pick<Replica, 'host' | 'port'>,
  namespace: string,
  spec: object,
) => Promise<DirectAnswer>;

/** A client that believes whom the API server believes now. */
export async function directClient({ kube }: Pick<AdmissionCluster, 'kube'>): Promise<AskDirectly> {
  const path = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${webhookName}`;
  const { body } = await kube.request('GET', path);
  const { webhooks } = body as { webhooks: readonly { clientConfig: { caBundle: string } }[] };
  const ca = Buffer.from(webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString();
  const dispatcher = new Agent({ connect: { ca, servername: `${webhookName}.${releaseNamespace}.svc` } });
  onEnd(() => dispatcher.destroy());
  return async ({ host, port }, namespace, spec) => {
    const answer = await request(`https://${host}:${port}/validate?timeout=10s`, {
      ...{ method: 'POST', dispatcher, headersTimeout: 15_000, bodyTimeout: 15_000 },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(newPod(namespace, spec)),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`);
    const { response } = JSON.parse(text) as Review;
    return { allowed: response.allowed, message: response.status?.message ?? '' };
  };
}

interface Review {
  readonly response: { readonly allowed: boolean; readonly status?: { readonly message?: string } };
}

function newPod(namespace: string, spec: object): object {
  const name = 'asked';
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec };
  return reviewOf(requestOf(object, { uid: randomUUID(), namespace, name, dryRun: true }));
}
