import { beforeEach, expect, test } from 'vitest';
import {
  imageJudgeMetrics,
  recordDecision,
  recordFailure,
  recordMutation,
} from '../../../../src/admission/report/admission-metrics.ts';
import { createMetrics, decision, finding, image, type Metrics, podRequest, valuesOf } from './support.ts';

let metrics: Metrics;

beforeEach(() => {
  metrics = createMetrics('1');
});

const requests = () => valuesOf(metrics, 'trellis_admission_requests_total');

test('what was asked and answered', async () => {
  recordDecision(metrics, podRequest(), decision(), 0.002);
  recordDecision(metrics, podRequest(), decision([finding()]), 0.002);
  recordDecision(metrics, podRequest(), decision([], { unchanged: true }), 0.002);
  const deployment = podRequest({ kind: { group: 'apps', version: 'v1', kind: 'Deployment' } });
  recordMutation(metrics, deployment, true, 0.002);
  recordMutation(metrics, deployment, false, 0.002);
  recordFailure(metrics, 'validate', undefined, 0.002);
  expect(await requests()).toEqual({
    '{webhook="validate",kind="Pod",result="allowed"}': 1,
    '{webhook="validate",kind="Pod",result="denied"}': 1,
    '{webhook="validate",kind="Pod",result="unchanged"}': 1,
    '{webhook="mutate",kind="Deployment",result="patched"}': 1,
    '{webhook="mutate",kind="Deployment",result="allowed"}': 1,
    '{webhook="validate",kind="other",result="failed"}': 1,
  });
  expect(await valuesOf(metrics, 'trellis_admission_duration_seconds')).toMatchObject({
    '_count{webhook="validate"}': 4,
    '_count{webhook="mutate"}': 2,
    '_bucket{le="0.0025",webhook="mutate"}': 2,
  });
});

test('findings and images', async () => {
  const findings = [finding(), finding({ code: 'host-network', enforcement: 'audit' })];
  const images = [image(), image({ decision: 'denied' })];
  recordDecision(metrics, podRequest(), decision(findings, { images }), 0.1);
  expect(await valuesOf(metrics, 'trellis_admission_findings_total')).toEqual({
    '{code="image-not-verified",enforcement="enforce"}': 1,
    '{code="host-network",enforcement="audit"}': 1,
  });
  expect(await valuesOf(metrics, 'trellis_admission_images_total')).toEqual({
    '{decision="verified"}': 1,
    '{decision="denied"}': 1,
  });
});

test('nothing that is asked about makes the metrics longer', async () => {
  const before = (await metrics.registry.metrics()).split('\n').length;
  for (let index = 0; index < 100; index += 1) {
    const kind = { group: 'x', version: 'v1', kind: `Kind${index}` };
    const request = podRequest({ kind, namespace: `n${index}`, name: `p${index}` });
    const found = finding({ message: `m${index}`, field: `f${index}`, policy: `a/p${index}` });
    recordDecision(metrics, request, decision([found], { images: [image({ image: `i${index}` })] }), index);
  }
  expect((await metrics.registry.metrics()).split('\n')).toHaveLength(before);
  expect(await requests()).toEqual({ '{webhook="validate",kind="other",result="denied"}': 100 });
});

test('the judge of images counts itself; what it has counted is taken over once', async () => {
  const take = imageJudgeMetrics(metrics);
  take({ hits: 5, misses: 2, bytes: 1_000, entries: 2, looksUnderWay: 3, registryRequests: 20 });
  take({ hits: 9, misses: 2, bytes: 900, entries: 1, looksUnderWay: 1, registryRequests: 24 });
  const names = [
    ...['image_cache_hits_total', 'image_cache_misses_total', 'image_cache_bytes', 'image_cache_entries'],
    ...['image_looks_under_way', 'registry_requests_total'],
  ];
  const values = await Promise.all(names.map((name) => valuesOf(metrics, `trellis_${name}`)));
  expect(values.map((value) => value[''])).toEqual([9, 2, 900, 1, 1, 24]);
});
