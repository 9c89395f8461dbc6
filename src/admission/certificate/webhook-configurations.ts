// The caBundle of our own webhook configurations: what API servers trust when they call us.

import { z } from 'zod';
import { fromPem } from '../../crypto/pem.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { getIfThere } from '../../sources/kubernetes/cluster/get-if-there.ts';
import { webhookNameSuffix } from '../names.ts';
import { CertificateError } from './errors.ts';
import { fieldManager } from './secret.ts';

const resources = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'] as const;

const configuration = z.object({
  metadata: z.object({ resourceVersion: z.string().min(1) }),
  webhooks: z
    .array(z.object({ name: z.string(), clientConfig: z.object({ caBundle: z.string().optional() }) }))
    .optional(),
});

export interface WebhookConfiguration {
  readonly path: string;
  readonly resourceVersion: string;
  /** Ours in it, with what each trusts: base64 of PEM, empty for none. */
  readonly webhooks: readonly { readonly name: string; readonly caBundle: string }[];
}

export interface ConfigurationsLocation {
  readonly client: KubeClient;
  /** Of both. */
  readonly name: string;
  /** Of one request. */
  readonly requestMs: number;
}

/** Those of the two that there are. @throws KubernetesError, CertificateError, the signal's reason */
export async function readConfigurations(
  location: ConfigurationsLocation,
  signal: AbortSignal,
): Promise<WebhookConfiguration[]> {
  const found = await Promise.all(resources.map((resource) => readOne(location, resource, signal)));
  return found.filter((one) => one !== undefined);
}

async function readOne(
  { client, name, requestMs }: ConfigurationsLocation,
  resource: string,
  signal: AbortSignal,
): Promise<WebhookConfiguration | undefined> {
  const path = `/apis/admissionregistration.k8s.io/v1/${resource}/${encodeURIComponent(name)}`;
  const object = await getIfThere(client, { path, signal, timeoutMs: requestMs });
  if (object === undefined) return undefined;
  const { success, data } = configuration.safeParse(object);
  if (!success) {
    throw new CertificateError('ERR_SERVING_CERTIFICATE_PROTOCOL', `${path} is no webhook configuration`);
  }
  return {
    path,
    resourceVersion: data.metadata.resourceVersion,
    webhooks: (data.webhooks ?? [])
      .filter((webhook) => webhook.name.endsWith(webhookNameSuffix))
      .map((webhook) => ({ name: webhook.name, caBundle: webhook.clientConfig.caBundle ?? '' })),
  };
}

/** Whether all of ours trust exactly these. @param bundle PEM */
export function trusts({ webhooks }: WebhookConfiguration, bundle: string): boolean {
  const encoded = encode(bundle);
  return webhooks.every(({ caBundle }) => caBundle === encoded);
}

/**
 * Makes all of ours trust exactly these.
 * @throws KubernetesError ERR_KUBE_CONFLICT when somebody else has written since, and others
 */
export async function trust(
  { client, requestMs }: ConfigurationsLocation,
  { path, resourceVersion, webhooks }: WebhookConfiguration,
  bundle: string,
  signal: AbortSignal,
): Promise<void> {
  const caBundle = encode(bundle);
  // Merges webhooks by their name, and is refused when the version is another.
  const body = {
    metadata: { resourceVersion },
    webhooks: webhooks.map(({ name }) => ({ name, clientConfig: { caBundle } })),
  };
  const contentType = 'application/strategic-merge-patch+json';
  const query = { fieldManager };
  await client.json({ method: 'PATCH', path, query, contentType, body, signal, timeoutMs: requestMs });
}

/** The CAs in there that could have signed something of ours. */
export function trustedCertificates(configurations: readonly WebhookConfiguration[]): Certificate[] {
  const bundles = configurations.flatMap(({ webhooks }) => webhooks.map(({ caBundle }) => caBundle));
  const found = [...new Set(bundles)].flatMap(readBundle);
  return [...new Map(found.map((certificate) => [certificate.der.toString('hex'), certificate])).values()];
}

function readBundle(caBundle: string): Certificate[] {
  try {
    return fromPem(Buffer.from(caBundle, 'base64').toString('utf8'), 'CERTIFICATE')
      .map(parseCertificate)
      .filter(({ extensions }) => extensions.basicConstraints?.ca === true);
  } catch {
    // Nothing that we made.
    return [];
  }
}

function encode(bundle: string): string {
  return Buffer.from(bundle, 'utf8').toString('base64');
}
