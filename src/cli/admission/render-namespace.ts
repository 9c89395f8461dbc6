// What `trellis policy explain` prints about a namespace: what holds, and by whose word.

import type { ExplainedImageRule } from '../../admission/explain/image-rules.ts';
import type { NamespacePolicy } from '../../admission/explain/namespace-policy.ts';
import type { SidecarSettings } from '../../admission/sidecar/settings.ts';
import { columns, type Row } from '../columns.ts';
import { sidecarText } from './sidecar-image.ts';

/** Lines. @param sidecar what is assumed to be injected */
export function renderNamespace(
  explained: NamespacePolicy,
  sidecar: SidecarSettings | undefined,
): readonly string[] {
  const { namespace, policies, conflicts, revoked } = explained;
  return [
    `namespace ${namespace}`,
    ...columns([
      ...policyRows(policies),
      ['encryption', attributed(explained.postQuantumEncryption, 'so no pod is put into the mesh')],
      ['sidecar', sidecarAssumption(explained, sidecar)],
      ['identity', attributed(explained.quantumAuthentication, 'so it is the default')],
      ...explained.complianceLevels.map((level): Row => ['compliance', attributed(level, '')]),
      ...conflicts.map(({ reason }): Row => ['conflict', `pods of the mesh are refused: ${reason}`]),
      ...imageRows(explained),
      ...revoked.digests.map((digest): Row => ['revoked', digest]),
      ...revoked.keys.map((key): Row => ['revoked', `key ${key}`]),
    ]),
  ];
}

function sidecarAssumption(
  { postQuantumEncryption: { value, policies } }: NamespacePolicy,
  sidecar: SidecarSettings | undefined,
): string {
  const assumed = `assumed: ${sidecarText(sidecar)}`;
  if (sidecar !== undefined) return assumed;
  const so = policies.length > 0 && value === 'required' ? ', so that every pod is refused' : '';
  return `${assumed} (--sidecar-image says otherwise)${so}`;
}

function policyRows(policies: NamespacePolicy['policies']): readonly Row[] {
  if (policies.length === 0) return [['policies', 'none']];
  return policies.map(({ name, enforcement, scope, counts, selector }) => {
    const where = scope === 'mesh' ? ', for the whole mesh' : '';
    const which = selector === undefined ? '' : `, for pods that ${selectorText(selector)}`;
    const not = counts ? '' : ' (not counted here)';
    return ['policies', `${name} (${enforcement}${where})${which}${not}`];
  });
}

type Selector = NonNullable<NamespacePolicy['policies'][number]['selector']>;

function selectorText({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `have ${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) =>
    [key, operator, ...(values.length > 0 ? [`(${values.join(', ')})`] : [])].join(' '),
  );
  return [...labels, ...expressions].join(' and ');
}

function attributed(
  { value, policies }: { readonly value: string; readonly policies: readonly string[] },
  whenNobodyAsks: string,
): string {
  return policies.length === 0
    ? `${value} between pods of the mesh (no policy asks for it, ${whenNobodyAsks})`
    : `${value}, by ${policies.join(', ')}`;
}

function imageRows({ images }: NamespacePolicy): readonly Row[] {
  if (images.length === 0) return [['images', 'no policy speaks about images: any may run']];
  const several =
    images.length > 1 ? [['images', 'every one of these policies must allow an image'] as const] : [];
  return [
    ...several,
    ...images.flatMap(({ policy, enforcement, rules }): readonly Row[] => [
      [
        'images',
        `${policy}${enforcement === 'enforce' ? '' : ` (only ${enforcement})`}: the first rule that matches`,
      ],
      ...rules.flatMap((rule) => ruleLines(rule).map((line): Row => ['images', `  ${line}`])),
      ['images', '  anything else: denied'],
    ]),
  ];
}

function ruleLines({
  rule,
  match,
  action,
  authorities,
  bindReference,
  attestations,
  shadowedBy,
}: ExplainedImageRule): string[] {
  const rules = `rule${shadowedBy.length === 1 ? '' : 's'} ${shadowedBy.join(' and ')}`;
  const never =
    shadowedBy.length === 0
      ? ''
      : ` (NEVER REACHED: ${rules} before it ${shadowedBy.length === 1 ? 'matches' : 'match'} all of it)`;
  const head = `${rule}. ${match.join(' ')}: ${actionTexts[action]}${never}`;
  const bind =
    bindReference === 'none' ? ['   signatures need not name the repository (cosign made them)'] : [];
  return [
    head,
    ...authorities.flatMap(authorityLines),
    ...bind,
    ...attestations.map(
      ({ predicateType, condition }) =>
        `   attestation ${predicateType}${condition === undefined ? '' : ` if ${condition}`}`,
    ),
  ];
}

const actionTexts: Readonly<Record<ExplainedImageRule['action'], string>> = {
  verify: 'signed by all of',
  allow: 'allowed without a signature',
  deny: 'denied',
};

function authorityLines({
  name,
  threshold,
  keysets,
  keyless,
}: ExplainedImageRule['authorities'][number]): string[] {
  const certificate =
    keyless === undefined
      ? []
      : [`   ${name}: a certificate of ${keyless.subject} (${keyless.issuer}), by ${keyless.trustedRoot}`];
  const any =
    keysets.length > 1
      ? `, ${threshold === keysets.length ? 'all' : `any ${threshold}`} of its ${keysets.length} keysets`
      : '';
  return [
    ...certificate,
    ...keysets.map((keyset) => {
      const keys = keyset.keys.map(({ algorithm, from }) =>
        from === 'the policy' ? algorithm : `${algorithm} (${from})`,
      );
      const until = keyset.notAfter === undefined ? '' : `, until ${keyset.notAfter}`;
      const not = keyset.whyNot === undefined ? '' : ` (COUNTS FOR NOTHING: ${keyset.whyNot})`;
      return `   ${name}${any}: ${keyset.name}, ${keys.join(' and ')}${until}${not}`;
    }),
  ];
}
