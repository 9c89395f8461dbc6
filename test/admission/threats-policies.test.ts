// Ways to make a policy not count, on a real API server: another namespace's word, a second policy, one that cannot be read any more,
// a mutating webhook that is not there; and what becomes of what a policy only warns of.

import { beforeAll, describe, expect, test } from 'vitest';
import { type AuditLog, auditAnnotation, makeAuditLog } from '../support/admission/audit-log.ts';
import { apply, imagesOf, jsonMerge, messageOf, podManifest, podSpec } from '../support/admission/pods.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission, webhookName } from '../support/admission.ts';
import { onEnd } from '../support/cleanup.ts';
import { releaseNamespace } from '../support/helm.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const policies = '/apis/security.quantum.io/v1';
const crd =
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/quantumsecuritypolicies.security.quantum.io';
const mutating = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${webhookName}`;

let cluster: AdmissionCluster;
let audit: AuditLog;
let registry: TestRegistry;
let [ci, release]: [TestSigner, TestSigner] = [] as never;
let [unsigned, byCi, byRelease, byBoth] = ['', '', '', ''];

beforeAll(async () => {
  registry = await startRegistry({ kind: 'ggcr' });
  audit = await makeAuditLog();
  cluster = await startAdmission({
    plainHttp: [registry.host],
    kube: { apiServerArgs: audit.apiServerArgs },
  });
  [ci, release] = [await makeSigner('ci'), await makeSigner('release')];
  const image = async (repository: string, ...signers: readonly TestSigner[]) => {
    const { reference } = await pushTestImage(registry, { repository, tag: '1' });
    for (const signer of signers) await signer.sign(reference);
    return reference;
  };
  unsigned = await image('unsigned');
  byCi = await image('by-ci', ci);
  byRelease = await image('by-release', release);
  byBoth = await image('by-both', ci, release);
  for (const name of ['trading', 'other', 'warned', 'audited', 'broken']) await cluster.createNamespace(name);
  await cluster.applyPolicy('trading', 'images', { images: [rule(ci)] });
});

const rule = (signer: TestSigner) => ({
  match: [`${registry.host}/**`],
  authorities: [signer.authority()],
});
const allowAll = { images: [{ match: ['**'], action: 'allow' }] };

let pods = 0;

async function ask(namespace: string, image: string, query = '') {
  pods += 1;
  const pod = { metadata: { name: `pod-${pods}` }, spec: podSpec(image) };
  const answer = await cluster.kube.request('POST', `/api/v1/namespaces/${namespace}/pods${query}`, pod);
  return { name: `pod-${pods}`, status: answer.status, message: messageOf(answer) };
}

const statusOf = async (namespace: string, image: string) => (await ask(namespace, image)).status;

describe('all policies must allow', () => {
  test('a weaker one of another namespace, even by the same name, lets nothing in', async () => {
    await cluster.applyPolicy('other', 'images', allowAll);
    expect(await statusOf('other', unsigned)).toBe(201);
    expect(await statusOf('trading', unsigned)).toBe(403);
    await cluster.deletePolicy('other', 'images');
  });

  test('a second one of the same namespace is one more demand, not another way in', async () => {
    await cluster.applyPolicy('trading', 'release', { images: [rule(release)] });
    const answers = [];
    for (const image of [byCi, byRelease, byBoth]) answers.push(await statusOf('trading', image));
    expect(answers).toEqual([403, 403, 201]);
    await cluster.applyPolicy('trading', 'release', allowAll);
    const weaker = [];
    for (const image of [byCi, byRelease, byBoth]) weaker.push(await statusOf('trading', image));
    expect(weaker).toEqual([201, 403, 201]);
    await cluster.deletePolicy('trading', 'release');
  });

  test('those of the root namespace hold in every other one, whatever is said there', async () => {
    const rest = { match: ['**'], action: 'allow' };
    await cluster.applyPolicy('other', 'images', allowAll);
    await cluster.applyPolicy(releaseNamespace, 'mesh-images', { images: [rule(release), rest] });
    const answers = [];
    for (const image of [byCi, byRelease]) answers.push(await statusOf('other', image));
    expect(answers).toEqual([403, 201]);
    expect((await ask('other', byCi)).message).toContain(`${releaseNamespace}/mesh-images, rule 1`);
    await cluster.deletePolicy(releaseNamespace, 'mesh-images');
    await cluster.deletePolicy('other', 'images');
  });

  test('the first rule that matches decides, and what none matches is denied', async () => {
    const rules = [{ match: [`${registry.host}/by-ci`], action: 'deny' }, rule(ci)];
    await cluster.applyPolicy('other', 'images', { images: rules });
    const answers = [];
    for (const image of [byCi, byBoth, 'elsewhere.example/app']) answers.push(await statusOf('other', image));
    expect(answers).toEqual([403, 201, 403]);
    await cluster.deletePolicy('other', 'images');
  });
});

describe('what is not enforced', () => {
  beforeAll(async () => {
    await cluster.applyPolicy('warned', 'images', { enforcement: 'warn', images: [rule(ci)] });
    await cluster.applyPolicy('audited', 'images', { enforcement: 'audit', images: [rule(ci)] });
  });

  const eventsOn = async (namespace: string, name: string) => {
    const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
    const { body } = await cluster.kube.request('GET', path);
    type Event = {
      readonly reason: string;
      readonly note: string;
      readonly regarding: { readonly name: string };
    };
    const { items } = body as { readonly items: readonly Event[] };
    return items.filter(({ regarding }) => regarding.name === name);
  };

  test('is warned of, where kubectl shows it, and written down', async () => {
    const applied = await apply(cluster.kube, podManifest('warned', 'app', podSpec(unsigned)));
    expect(applied).toMatchObject({ status: 0 });
    expect(applied.stderr).toContain(`Warning: image ${unsigned}`);
    expect(applied.stderr).toContain('QuantumSecurityPolicy warned/images, rule 1');
    expect(await imagesOf(cluster.kube, 'warned', 'app')).toEqual([unsigned]);
    const [entry] = await audit.ofPod('warned', 'app');
    expect(entry && auditAnnotation(entry, 'findings')).toBe('image-not-verified (warn, warned/images)');
    const [event] = await until('the Event', async () => {
      const events = await eventsOn('warned', 'app');
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({ reason: 'AdmissionWarned' });
  });

  test('is only recorded: nobody who asks hears of it', async () => {
    const applied = await apply(cluster.kube, podManifest('audited', 'app', podSpec(unsigned)));
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    const [entry] = await audit.ofPod('audited', 'app');
    expect(entry && auditAnnotation(entry, 'decision')).toBe('allowed');
    expect(entry && auditAnnotation(entry, 'findings')).toBe('image-not-verified (audit, audited/images)');
    const [event] = await until('the Event', async () => {
      const events = await eventsOn('audited', 'app');
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({ reason: 'AdmissionAudited' });
    expect(event?.note).toContain(unsigned);
    const counted = (await cluster.replicas[0]?.metrics())?.get(
      'trellis_admission_findings_total{code="image-not-verified",enforcement="audit"}',
    );
    expect(counted).toBeGreaterThan(0);
  });

  test('leaves no Event when it is only tried', async () => {
    const tried = await ask('warned', unsigned, '?dryRun=All');
    expect(tried.status).toBe(201);
    const real = await ask('warned', unsigned);
    // They are written in the order in which they happen.
    await until('the Event', async () => (await eventsOn('warned', real.name)).length > 0);
    expect(await eventsOn('warned', tried.name)).toEqual([]);
    const [entry] = await audit.ofPod('warned', tried.name);
    expect(entry && auditAnnotation(entry, 'decision')).toBe('allowed');
  });

  test('is told with a refusal by what is', async () => {
    await cluster.applyPolicy('warned', 'release', { images: [rule(release)] });
    const answer = await apply(cluster.kube, podManifest('warned', 'both', podSpec(unsigned)));
    expect(answer.status).toBe(1);
    expect(answer.stderr).toContain('Warning: ');
    expect(answer.stderr).toContain('warned/release, rule 1');
    await cluster.deletePolicy('warned', 'release');
  });
});

describe('without the mutating webhook', () => {
  /** The API server takes a moment to see it. */
  async function expectTagsRefused(): Promise<void> {
    const tag = `${registry.host}/by-ci:1`;
    const refusal = await until('the mutating webhook to be gone', async () => {
      const { status, message } = await ask('trading', tag, '?dryRun=All');
      return status === 403 && message;
    });
    expect(refusal).toContain('named by a tag');
    expect(refusal).toContain(`write ${tag}${byCi.slice(byCi.indexOf('@'))}`);
    expect(await statusOf('trading', `${tag}${byCi.slice(byCi.indexOf('@'))}`)).toBe(201);
    expect(await statusOf('trading', byCi)).toBe(201);
  }

  const restored = async () =>
    await until('the mutating webhook', async () => {
      const answer = await ask('trading', `${registry.host}/by-ci:1`, '?dryRun=All');
      return answer.status === 201;
    });

  test('that was deleted: a good image by its tag is refused, with the digest to write', async () => {
    const { body } = await cluster.kube.request('GET', mutating);
    const { metadata, ...rest } = body as { readonly metadata: { readonly labels: object } };
    expect(await cluster.kube.request('DELETE', mutating)).toMatchObject({ status: 200 });
    await expectTagsRefused();
    const object = { ...rest, metadata: { name: webhookName, labels: metadata.labels } };
    await cluster.kube.create(mutating.slice(0, mutating.lastIndexOf('/')), object);
    await restored();
  });

  /** The Service has it not. */
  const portOfNobody = 444;

  test('that is not reached: the same', async () => {
    const path = '/webhooks/0/clientConfig/service/port';
    const patch = async (value: number) => {
      const contentType = 'application/json-patch+json';
      const answer = await cluster.kube.request('PATCH', mutating, [{ op: 'replace', path, value }], {
        contentType,
      });
      expect(answer).toMatchObject({ status: 200 });
    };
    await patch(portOfNobody);
    await expectTagsRefused();
    await patch(443);
    await restored();
  });
});

describe('a policy that cannot be read', () => {
  /** As an older release of the chart may have let through what this one does not. */
  beforeAll(async () => {
    const { body } = await cluster.kube.request('GET', crd);
    const { spec } = body as { readonly spec: { readonly versions: readonly { readonly schema: object }[] } };
    const change = async (schema: object | undefined) => {
      const patch = [{ op: 'replace', path: '/spec/versions/0/schema', value: schema }];
      const contentType = 'application/json-patch+json';
      const answer = await cluster.kube.request('PATCH', crd, patch, { contentType });
      expect(answer).toMatchObject({ status: 200 });
    };
    await change({ openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } });
    onEnd(() => change(spec.versions[0]?.schema));
  });

  const policyPath = (namespace: string, name = '') =>
    `${policies}/namespaces/${namespace}/quantumsecuritypolicies${name && `/${name}`}`;
  const rejected = async () =>
    (await cluster.replicas[0]?.metrics())?.get('trellis_source_updates_total{result="rejected"}') ?? 0;

  /** Resolves when the webhook has seen that it is wrong. */
  async function breaking(change: () => Promise<{ readonly status: number }>): Promise<void> {
    const before = await rejected();
    await until('the API server to take it', async () => [200, 201].includes((await change()).status));
    await until('the webhook to complain', async () => (await rejected()) > before);
  }

  test('any more: what it said last holds', async () => {
    const wrong = { spec: { images: [{ match: 5, action: 'allow' }] } };
    await breaking(() => cluster.kube.request('PATCH', policyPath('trading', 'images'), wrong, jsonMerge));
    expect(await statusOf('trading', unsigned)).toBe(403);
    expect(await statusOf('trading', byCi)).toBe(201);
  });

  test('and never could be: nothing is let in where it holds, and all else goes on', async () => {
    const object = {
      ...{
        apiVersion: 'security.quantum.io/v1',
        kind: 'QuantumSecurityPolicy',
        metadata: { name: 'images' },
      },
      spec: { images: [{ match: ['**'], action: 'permit' }] },
    };
    await breaking(() => cluster.kube.request('POST', policyPath('broken'), object));
    expect(await statusOf('broken', byCi)).toBe(503);
    await cluster.applyPolicy('other', 'images', { images: [rule(release)] });
    expect(await statusOf('other', byCi)).toBe(403);
    expect(await statusOf('other', byRelease)).toBe(201);
  });

  test('by a webhook that has only just started: nothing is let in where they hold', async () => {
    await cluster.replicas[0]?.program.stop();
    expect((await ask('other', byRelease)).message).toContain('failed calling webhook');
    await cluster.replicas[0]?.program.start();
    await cluster.ready();
    expect(await until('an answer', async () => (await statusOf('other', byRelease)) === 201)).toBe(true);
    expect(await statusOf('trading', byCi)).toBe(503);
    expect(await statusOf('trading', unsigned)).toBe(503);
    expect(await statusOf('broken', byCi)).toBe(503);
  });
});
