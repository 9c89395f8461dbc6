// The shipped schemas by themselves: what the API server demands of a structural schema, and what we promise on top.

import { describe, expect, test } from 'vitest';
import { ruleTwins } from '../../../src/model/crd-rules.ts';
import { createCustomResourceValidator } from '../../../src/model/crd-validator.ts';
import { definitions } from './support.ts';

interface Schema {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  enum?: unknown[];
  default?: unknown;
  pattern?: string;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  minimum?: number;
  'x-kubernetes-validations'?: { rule: string; message: string; fieldPath?: string }[];
  'x-kubernetes-list-map-keys'?: string[];
  required?: string[];
}

interface Definition {
  metadata: { name: string };
  spec: {
    group: string;
    scope: string;
    names: { kind: string; plural: string };
    versions: { name: string; subresources: object; schema: { openAPIV3Schema: Schema } }[];
  };
}

function* walk(schema: Schema, path: string): Generator<{ path: string; schema: Schema }> {
  yield { path, schema };
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* walk(child, `${path}.${name}`);
  if (schema.items !== undefined) yield* walk(schema.items, `${path}[]`);
  if (schema.additionalProperties !== undefined) yield* walk(schema.additionalProperties, `${path}{}`);
}

const all = definitions as Definition[];
const nodes = all.flatMap((crd) => {
  const [version] = crd.spec.versions;
  return [...walk(version?.schema.openAPIV3Schema ?? {}, crd.spec.names.kind)];
});
const bySchema = (pick: (schema: Schema) => boolean) => nodes.filter(({ schema }) => pick(schema));

describe('custom resource definitions', () => {
  test('both are there, namespaced, version v1, with a status subresource', () => {
    expect(all.map((crd) => [crd.metadata.name, crd.spec.group, crd.spec.scope])).toEqual([
      ['quantumsecuritypolicies.security.quantum.io', 'security.quantum.io', 'Namespaced'],
      ['quantumservices.quantum.io', 'quantum.io', 'Namespaced'],
    ]);
    for (const crd of all) {
      expect(crd.metadata.name).toBe(`${crd.spec.names.plural}.${crd.spec.group}`);
      expect(crd.spec.versions.map((version) => [version.name, version.subresources])).toEqual([
        ['v1', { status: {} }],
      ]);
    }
  });

  test('every node has a type and a description', () => {
    const undescribed = nodes.filter(
      ({ path, schema }) => !schema.description && !/^\w+\.metadata$/.test(path),
    );
    expect(undescribed.map(({ path }) => path)).toEqual([]);
    expect(nodes.filter(({ schema }) => schema.type === undefined).map(({ path }) => path)).toEqual([]);
  });

  test('every string, list, map and number is bounded', () => {
    const header = /^\w+\.(apiVersion|kind|metadata)$/;
    const unbounded = nodes.filter(({ path, schema }) => {
      if (header.test(path)) return false;
      if (schema.type === 'string') return schema.enum === undefined && schema.maxLength === undefined;
      if (schema.type === 'array') return schema.maxItems === undefined;
      if (schema.type === 'integer') return schema.minimum === undefined;
      return schema.additionalProperties !== undefined && schema.maxProperties === undefined;
    });
    expect(unbounded.map(({ path }) => path)).toEqual([]);
  });

  test('only enforcement has a default: an absent field constrains nothing', () => {
    expect(bySchema((schema) => schema.default !== undefined).map(({ path }) => path)).toEqual([
      'QuantumSecurityPolicy.spec.enforcement',
    ]);
  });

  test('every pattern is anchored at its beginning', () => {
    const patterns = bySchema((schema) => schema.pattern !== undefined);
    expect(patterns.length).toBeGreaterThan(10);
    for (const { schema } of patterns) expect(schema.pattern).toMatch(/^\^/);
  });

  test('no pattern takes long to refuse a long string', () => {
    // ajv tries patterns even where maxLength has refused already. Quadratic time would be minutes here.
    const pieces = [
      'a',
      'a-',
      'a.',
      '/a',
      '/*',
      '/a*',
      '/**',
      '*a',
      '.',
      '-',
      '/',
      '1h',
      '9',
      '-----BEGIN PUBLIC KEY-----',
    ];
    const patterns = bySchema((schema) => schema.pattern !== undefined).map(
      ({ schema }) => schema.pattern ?? '',
    );
    for (const pattern of new Set(patterns)) {
      const regExp = new RegExp(pattern, 'u');
      for (const prefix of ['', 'spiffe://a', 'sha256:', 'https://']) {
        for (const piece of pieces) regExp.test(`${prefix}${piece.repeat(200_000)}\u0000`);
      }
    }
  });

  test('rules point to a field that exists, and list keys are required', () => {
    for (const { schema } of nodes) {
      for (const { fieldPath } of schema['x-kubernetes-validations'] ?? []) {
        expect(Object.keys(schema.properties ?? {})).toContain(fieldPath?.slice(1));
      }
      for (const key of schema['x-kubernetes-list-map-keys'] ?? [])
        expect(schema.items?.required).toContain(key);
    }
  });

  test('every CEL rule has a twin, and every twin a rule', () => {
    const rules = nodes
      .flatMap(({ schema }) => schema['x-kubernetes-validations'] ?? [])
      .map(({ rule }) => rule);
    expect([...new Set(rules)].sort()).toEqual([...ruleTwins.keys()].sort());
  });
});

describe('createCustomResourceValidator', () => {
  test('refuses a schema with a rule that it cannot evaluate', () => {
    const changed = structuredClone(all);
    const spec = changed[0]?.spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec'];
    spec?.['x-kubernetes-validations']?.push({ rule: 'self.quarantine.size() < 5', message: 'too many' });
    expect(() => createCustomResourceValidator(changed)).toThrow(
      expect.objectContaining({ code: 'ERR_CRD_RULE_UNKNOWN' }),
    );
  });

  test('refuses to start without a definition', () => {
    expect(() => createCustomResourceValidator(all.slice(0, 1))).toThrow(
      expect.objectContaining({ code: 'ERR_CRD_INVALID' }),
    );
    expect(() => createCustomResourceValidator([null, 3, []])).toThrow(
      expect.objectContaining({ code: 'ERR_CRD_INVALID' }),
    );
  });

  test('refuses a schema that does not compile', () => {
    const changed = structuredClone(all);
    const spec = changed[0]?.spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec'];
    if (spec !== undefined) spec.type = 'nonsense';
    expect(() => createCustomResourceValidator(changed)).toThrow(
      expect.objectContaining({ code: 'ERR_CRD_INVALID' }),
    );
  });
});
