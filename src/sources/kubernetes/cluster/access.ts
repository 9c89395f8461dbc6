// How to reach an API server, and with what credentials.

import { readFile } from 'node:fs/promises';
import { KubernetesError } from '../errors.ts';

/** Text as it is, or a file that is read whenever the text is needed: what is mounted into a pod is renewed in place. */
export type Material = { readonly text: string } | { readonly file: string };

export interface ClusterAccess {
  readonly server: URL;
  /** The name its certificate is for, when that is not the host of `server`. */
  readonly tlsServerName: string | undefined;
  /** PEM; Node's own anchors when absent. */
  readonly ca: Material | undefined;
  readonly token: Material | undefined;
  /** PEM. */
  readonly client: { readonly certificate: Material; readonly key: Material } | undefined;
  /** Where we live (in a cluster), or what the context names. */
  readonly namespace: string | undefined;
}

/** A token of a service account has 1 to 2 KB, a bundle of CAs some more. */
const maxMaterialBytes = 1024 * 1024;

/** @throws KubernetesError ERR_KUBE_CREDENTIALS */
export async function readMaterial(material: Material): Promise<string> {
  if ('text' in material) return material.text;
  const { file } = material;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KubernetesError('ERR_KUBE_CREDENTIALS', `${file} cannot be read (${reason}); mend it`, {
      cause,
    });
  }
  const trimmed = text.trim();
  if (trimmed !== '' && text.length <= maxMaterialBytes) return trimmed;
  const problem = trimmed === '' ? 'is empty' : 'is too large for a credential';
  throw new KubernetesError('ERR_KUBE_CREDENTIALS', `${file} ${problem}; write it anew`);
}
