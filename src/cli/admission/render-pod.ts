// What `trellis policy explain` prints about a pod, after its namespace.

import type { Finding } from '../../admission/decision.ts';
import type { PodImage, PodPolicy } from '../../admission/explain/pod-policy.ts';
import { columns, type Row } from '../columns.ts';

/** Lines. @param findings what is wrong with the pod whatever its images are */
export function renderPod(
  name: string,
  { sidecar, images }: PodPolicy,
  findings: readonly Finding[],
): readonly string[] {
  return [
    `pod ${name}`,
    ...columns([
      ['sidecar', sidecarTexts[sidecar]],
      ...images.flatMap(imageRows),
      ...findings.map(({ enforcement, message }): Row => [findingLabels[enforcement], message]),
    ]),
  ];
}

const sidecarTexts: Readonly<Record<PodPolicy['sidecar'], string>> = {
  injected: 'injected: the pod is in the mesh',
  'left-alone': 'none: pods with hostNetwork, and pods for Windows, stay outside the mesh',
  'switched-off': 'none: the policies put the pod into the mesh, and no sidecar is injected',
  none: 'none: no policy that is enforced puts the pod into the mesh',
};

const findingLabels: Readonly<Record<Finding['enforcement'], string>> = {
  enforce: 'denied',
  warn: 'warning',
  audit: 'recorded',
};

function imageRows({
  field,
  image,
  invalid,
  repository,
  requirements,
  digest,
  mustBeDigest,
  isRevoked,
}: PodImage): readonly Row[] {
  const head: Row = ['image', `${field}: ${image}`];
  if (invalid !== undefined) return [head, ['image', `  ${invalid}`]];
  const asks = requirements.map(({ policy, enforcement, rule, asks: what }): Row => {
    const where = rule === undefined ? 'no rule matches' : `rule ${rule}`;
    const soft = enforcement === 'enforce' ? '' : ` (only ${enforcement})`;
    return ['image', `  ${policy}, ${where}${soft}: ${askTexts[what]}`];
  });
  const notes = [
    ...(requirements.length === 0 ? ['no policy speaks about it'] : []),
    ...(isRevoked ? ['its digest is revoked: it may not run'] : []),
    ...(mustBeDigest && digest === undefined
      ? ['in a pod it must be a digest: the webhook writes it for the tag, unless with hostNetwork']
      : []),
  ];
  const named: Row = ['image', `  asked about as ${repository}`];
  return [head, named, ...asks, ...notes.map((note): Row => ['image', `  ${note}`])];
}

const askTexts: Readonly<Record<PodImage['requirements'][number]['asks'], string>> = {
  signatures: 'must be signed',
  nothing: 'allowed without a signature',
  denies: 'denied',
};
