import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { boundedCounter, boundedGauge, boundedHistogram } from '../../../src/telemetry/bounded.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const labels = { type: ['a', 'b'], result: ['ok', 'failed'] } as const;

describe('bounded metrics', () => {
  test('a counter shows every combination of labels from the start, and counts', async () => {
    const registry = new Registry();
    const counter = boundedCounter(registry, { name: 'x_total', help: 'x', labels });
    counter.inc({ type: 'a', result: 'ok' });
    counter.inc({ type: 'a', result: 'ok' }, 2);
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('x_total'));
    expect(lines.sort()).toEqual([
      'x_total{type="a",result="failed"} 0',
      'x_total{type="a",result="ok"} 3',
      'x_total{type="b",result="failed"} 0',
      'x_total{type="b",result="ok"} 0',
    ]);
  });

  test('a gauge is set and moved', async () => {
    const registry = new Registry();
    const gauge = boundedGauge(registry, { name: 'x', help: 'x', labels: {} });
    gauge.set({}, 5);
    gauge.add({}, -2);
    expect(await registry.metrics()).toContain('\nx 3\n');
  });

  test('a histogram has its buckets', async () => {
    const registry = new Registry();
    const histogram = boundedHistogram(registry, {
      name: 'x_seconds',
      help: 'x',
      labels: {},
      buckets: [0.1, 1],
    });
    histogram.observe({}, 0.5);
    const text = await registry.metrics();
    expect(text).toContain('x_seconds_bucket{le="0.1"} 0');
    expect(text).toContain('x_seconds_bucket{le="1"} 1');
  });

  test('a label value that is not in the list is refused and leaves nothing behind', async () => {
    const registry = new Registry();
    const definition = { name: 'x_total', help: 'x', labels } as const;
    const counter = boundedCounter(registry, definition);
    const gauge = boundedGauge(registry, { ...definition, name: 'x' });
    const histogram = boundedHistogram(registry, { ...definition, name: 'x_seconds', buckets: [1] });
    const before = await registry.metrics();
    const stranger = { type: 'attacker', result: 'ok' } as unknown as { type: 'a'; result: 'ok' };
    for (const attempt of [
      () => counter.inc(stranger),
      () => gauge.set(stranger, 1),
      () => gauge.add(stranger, 1),
      () => histogram.observe(stranger, 1),
      () => counter.inc({ type: 'a' } as unknown as { type: 'a'; result: 'ok' }),
    ]) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_LABEL_UNKNOWN' }));
    }
    expect(await registry.metrics()).toBe(before);
  });
});

describe('createMetrics', () => {
  test('has a registry of its own: two in one process do not clash', async () => {
    const [first, second] = [createMetrics('1.2.3'), createMetrics('1.2.3')];
    first.xdsRejections.inc({ type: 'cluster' });
    expect(await first.registry.metrics()).toContain('trellis_xds_rejections_total{type="cluster"} 1');
    expect(await second.registry.metrics()).toContain('trellis_xds_rejections_total{type="cluster"} 0');
  });

  test('says which Trellis and how the process is doing', async () => {
    const text = await createMetrics('1.2.3').registry.metrics();
    expect(text).toContain('trellis_build_info{version="1.2.3"} 1');
    expect(text).toContain('process_resident_memory_bytes');
  });

  test('every metric of ours has the prefix and a help text', async () => {
    const metrics = await createMetrics('1').registry.getMetricsAsJSON();
    const ours = metrics.filter(({ name }) => !/^(process|nodejs)_/.test(name));
    expect(ours.length).toBeGreaterThan(5);
    for (const { name, help } of ours) {
      expect(name).toMatch(/^trellis_[a-z_]+$/);
      expect(help).toMatch(/\.$/);
    }
  });
});
