// Metrics whose labels can only take values from a list fixed in the source. A label fed from a request (a path, an
// identity) would let whoever sends requests grow our memory without end.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { TelemetryError } from './errors.ts';

/** Every label with all the values it can have. */
export type LabelSets = Readonly<Record<string, readonly string[]>>;

/** One value for every label. */
export type Labels<L extends LabelSets> = { readonly [Name in keyof L]: L[Name][number] };

export interface Definition<L extends LabelSets> {
  readonly name: string;
  readonly help: string;
  readonly labels: L;
}

export interface BoundedCounter<L extends LabelSets> {
  /** @throws TelemetryError `ERR_LABEL_UNKNOWN` for a value the definition does not list */
  inc(labels: Labels<L>, by?: number): void;
}

export interface BoundedGauge<L extends LabelSets> {
  /** @throws TelemetryError `ERR_LABEL_UNKNOWN` */
  set(labels: Labels<L>, value: number): void;
  /** @throws TelemetryError `ERR_LABEL_UNKNOWN` */
  add(labels: Labels<L>, difference: number): void;
}

export interface BoundedHistogram<L extends LabelSets> {
  /** @throws TelemetryError `ERR_LABEL_UNKNOWN` */
  observe(labels: Labels<L>, value: number): void;
}

function check<L extends LabelSets>(definition: Definition<L>, labels: Labels<L>): Record<string, string> {
  for (const [name, values] of Object.entries(definition.labels)) {
    const value = labels[name];
    if (value === undefined || !values.includes(value)) {
      throw new TelemetryError(
        'ERR_LABEL_UNKNOWN',
        `metric ${definition.name}: label ${name} cannot be ${JSON.stringify(value)}, only ${values.join(', ')}`,
      );
    }
  }
  return { ...labels };
}

/** All combinations of label values. */
function combinations(labels: LabelSets): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (rows, [name, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  );
}

function settings<L extends LabelSets>(registry: Registry, { name, help, labels }: Definition<L>) {
  return { name, help, labelNames: Object.keys(labels), registers: [registry] };
}

/** Starts at 0 for every combination, so that the first event shows as a rate. */
export function boundedCounter<const L extends LabelSets>(
  registry: Registry,
  definition: Definition<L>,
): BoundedCounter<L> {
  const counter = new Counter(settings(registry, definition));
  for (const labels of combinations(definition.labels)) counter.inc(labels, 0);
  return { inc: (labels, by = 1) => counter.inc(check(definition, labels), by) };
}

export function boundedGauge<const L extends LabelSets>(
  registry: Registry,
  definition: Definition<L>,
): BoundedGauge<L> {
  const gauge = new Gauge(settings(registry, definition));
  return {
    set: (labels, value) => gauge.set(check(definition, labels), value),
    add: (labels, difference) => gauge.inc(check(definition, labels), difference),
  };
}

export function boundedHistogram<const L extends LabelSets>(
  registry: Registry,
  definition: Definition<L> & { readonly buckets: readonly number[] },
): BoundedHistogram<L> {
  const histogram = new Histogram({ ...settings(registry, definition), buckets: [...definition.buckets] });
  for (const labels of combinations(definition.labels)) histogram.zero(labels);
  return { observe: (labels, value) => histogram.observe(check(definition, labels), value) };
}
