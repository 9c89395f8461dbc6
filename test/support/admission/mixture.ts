// Pods of all kinds that there are to a policy about images, with what must come of each: for asking many times.

import type { AdmissionCluster } from '../admission.ts';
import type { KubeAnswer } from '../kube.ts';
import type { PushedManifest, TestImage } from '../registry/images.ts';
import { inParallel } from './load.ts';
import { messageOf, podSpec } from './pods.ts';
import { makeSigner, type TestSigner } from './signer.ts';

export interface Case {
  /** For messages. */
  readonly name: string;
  readonly kind: 'Pod' | 'Deployment';
  readonly namespace: string;
  /** Of the pod, or of the template. */
  readonly spec: object;
  /** What the first container runs when it is admitted; a text of the refusal when it is not. */
  readonly expected: { readonly image: string } | { readonly refusal: string };
  /** The mutating webhook has to be reached for it. */
  readonly needsPinning?: boolean;
}

export interface Mixture {
  readonly cases: readonly Case[];
  /** That it be made, as a dry run. */
  ask(each: Case, name: string): Promise<KubeAnswer>;
}

type MixtureCluster = Pick<AdmissionCluster, 'kube' | 'createNamespace' | 'applyPolicy'>;

interface MixtureRegistry {
  readonly host: string;
  push(image: TestImage): Promise<PushedManifest>;
}

/** Makes namespaces with policies, and images; some of everything. */
export async function makeMixture(
  cluster: MixtureCluster,
  registry: MixtureRegistry,
  count: number,
): Promise<Mixture> {
  const [ci, partner] = [await makeSigner('ci'), await makeSigner('partner')];
  const trading = await push(registry, 'trading/app', count);
  const research = await push(registry, 'research/app', count);
  const unsigned = await push(registry, 'trading/unsigned', 4);
  await sign(ci, trading);
  await sign(partner, research);
  await Promise.all(['trading', 'research', 'lenient', 'free'].map((name) => cluster.createNamespace(name)));
  const [revoked] = research;
  const rule = (signer: TestSigner) => ({
    match: [`${registry.host}/**`],
    authorities: [signer.authority()],
  });
  await cluster.applyPolicy('trading', 'images', { images: [rule(ci)] });
  await cluster.applyPolicy('research', 'images', {
    images: [rule(partner)],
    revoked: { digests: [revoked?.digest] },
  });
  await cluster.applyPolicy('lenient', 'images', { enforcement: 'warn', images: [rule(ci)] });
  const cases = [
    ...trading.flatMap((image) => tradingCases(image)),
    ...research.flatMap((image) => (image === revoked ? revokedCases(image) : researchCases(image))),
    ...unsigned.flatMap((image) => unsignedCases(image, trading[0]?.reference ?? '')),
  ];
  return {
    cases,
    ask: (each, name) => cluster.kube.request('POST', `${pathOf(each)}?dryRun=All`, objectOf(each, name)),
  };
}

/** What is wrong with an answer; undefined when nothing is. */
export function faultOf({ name, expected }: Case, answer: KubeAnswer): string | undefined {
  const said = messageOf(answer);
  if ('refusal' in expected) {
    if (answer.status === 403 && said.includes(expected.refusal)) return undefined;
  } else {
    const image = answer.status === 201 ? firstImage(answer.body) : undefined;
    if (image === expected.image) return undefined;
    if (image !== undefined) return `${name}: admitted with ${image}`;
  }
  return `${name}: ${answer.status} ${said}`;
}

interface Admitted {
  readonly spec: PodSpec & { readonly template?: { readonly spec: PodSpec } };
}
interface PodSpec {
  readonly containers: readonly { readonly image: string }[];
}

function firstImage(body: unknown): string | undefined {
  const { spec } = body as Admitted;
  return (spec.template?.spec ?? spec).containers[0]?.image;
}

type Image = PushedManifest & { readonly tagged: string };

async function push(registry: MixtureRegistry, repository: string, count: number): Promise<readonly Image[]> {
  const tags = Array.from({ length: count }, (_, index) => `v${index}`);
  return await inParallel(4, tags, async (tag) => ({
    ...(await registry.push({ repository, tag })),
    tagged: `${registry.host}/${repository}:${tag}`,
  }));
}

async function sign(signer: TestSigner, images: readonly Image[]): Promise<void> {
  const [first = '', ...others] = images.map(({ reference }) => reference);
  await signer.sign(first, ...others);
}

const allowed = (image: string): Case['expected'] => ({ image });
const refused = (refusal: string): Case['expected'] => ({ refusal });

function tradingCases({ reference, tagged, digest }: Image): Case[] {
  const trading = { kind: 'Pod', namespace: 'trading' } as const;
  return [
    { ...trading, name: 'signed', spec: podSpec(reference), expected: allowed(reference) },
    {
      ...{ ...trading, name: 'signed, by tag', spec: podSpec(tagged), needsPinning: true },
      expected: allowed(`${tagged}@${digest}`),
    },
    {
      ...{ ...trading, kind: 'Deployment', name: 'signed, in a template' },
      ...{ spec: podSpec(reference), expected: allowed(reference) },
    },
    {
      ...{ ...trading, namespace: 'research', name: 'signed by somebody else' },
      ...{ spec: podSpec(reference), expected: refused('does not satisfy') },
    },
    {
      ...{ ...trading, namespace: 'free', name: 'without a policy' },
      ...{ spec: podSpec(tagged), expected: allowed(tagged) },
    },
  ];
}

function researchCases({ reference }: Image): Case[] {
  const signed = { kind: 'Pod', spec: podSpec(reference) } as const;
  return [
    { ...signed, name: 'of its own namespace', namespace: 'research', expected: allowed(reference) },
    { ...signed, name: 'of another', namespace: 'trading', expected: refused('does not satisfy') },
  ];
}

function revokedCases({ reference, tagged }: Image): Case[] {
  const revoked = { kind: 'Pod', namespace: 'research', expected: refused('is revoked') } as const;
  return [
    { ...revoked, name: 'signed and revoked', spec: podSpec(reference) },
    {
      ...{ ...revoked, name: 'signed and revoked, by tag', spec: podSpec(tagged), needsPinning: true },
    },
  ];
}

function unsignedCases({ reference, tagged }: Image, signed: string): Case[] {
  const trading = { kind: 'Pod', namespace: 'trading', expected: refused('does not satisfy') } as const;
  return [
    { ...trading, name: 'unsigned', spec: podSpec(reference) },
    { ...trading, name: 'unsigned, by tag', spec: podSpec(tagged), needsPinning: true },
    { ...trading, kind: 'Deployment', name: 'unsigned, in a template', spec: podSpec(reference) },
    {
      ...{ ...trading, name: 'unsigned, to begin with' },
      spec: podSpec(signed, { initContainers: [{ name: 'first', image: reference }] }),
    },
    {
      ...{ ...trading, namespace: 'lenient', name: 'unsigned, with a warning' },
      ...{ spec: podSpec(reference), expected: allowed(reference) },
    },
  ];
}

const labels = { app: 'asked' };

function objectOf({ kind, namespace, spec }: Case, name: string): object {
  const metadata = { name, namespace, labels };
  if (kind === 'Pod') return { apiVersion: 'v1', kind, metadata, spec };
  const template = { metadata: { labels }, spec };
  return {
    ...{ apiVersion: 'apps/v1', kind, metadata },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  };
}

function pathOf({ kind, namespace }: Case): string {
  const [group, plural] = kind === 'Pod' ? ['/api/v1', 'pods'] : ['/apis/apps/v1', 'deployments'];
  return `${group}/namespaces/${namespace}/${plural}`;
}
