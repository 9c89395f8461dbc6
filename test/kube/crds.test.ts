// Our definitions in a real API server, and whether it says of each resource what the file source says. Rules in CEL and their
// twins in TypeScript are two programs: here they answer the same questions.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { createCustomResourceValidator } from '../../src/model/crd-validator.ts';
import { readCustomResourceDefinitions } from '../../src/sources/crds.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { acceptedSpecs, refusedSpecs } from '../support/policy-cases.ts';

const crds = join(import.meta.dirname, '../../charts/trellis/crds');
const examples = join(import.meta.dirname, '../../examples/quantum-trader');
const validate = createCustomResourceValidator(await readCustomResourceDefinitions());

type Kind = 'QuantumSecurityPolicy' | 'QuantumService';
const places = {
  QuantumSecurityPolicy: ['security.quantum.io/v1', 'quantumsecuritypolicies'],
  QuantumService: ['quantum.io/v1', 'quantumservices'],
} as const;

let kube: Kube;
let applied: { readonly stderr: string };

beforeAll(async () => {
  kube = await startKube();
  applied = await kube.kubectl(['apply', '-f', crds]);
  await kube.applyCrds();
});

/** What the API server says of an object that it does not keep: nothing, or why not. */
async function refusal(kind: Kind, spec: unknown): Promise<string | undefined> {
  const [apiVersion, plural] = places[kind];
  const path = `/apis/${apiVersion}/namespaces/default/${plural}?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await kube.request('POST', path, {
    ...{ apiVersion, kind, metadata: { name: 'a' } },
    ...(spec !== undefined && { spec }),
  });
  if (status === 201) return undefined;
  // Not 403, 404 or 5xx, which would say nothing about the object.
  expect([400, 422], JSON.stringify(body)).toContain(status);
  return (body as { message: string }).message;
}

function issues(kind: Kind, spec: unknown) {
  const [apiVersion] = places[kind];
  return validate(kind, { apiVersion, kind, metadata: { name: 'a' }, ...(spec !== undefined && { spec }) })
    .issues;
}

test('the definitions are accepted without a warning, and served', async () => {
  expect(applied.stderr).toBe('');
  for (const file of await readCustomResourceDefinitions()) {
    const { metadata } = file as { metadata: { name: string } };
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`;
    const { status } = (await kube.request('GET', path)).body as {
      status: { conditions: readonly { type: string; status: string }[] };
    };
    const conditions = status.conditions.map((condition) => `${condition.type}=${condition.status}`).sort();
    expect(conditions).toEqual(['Established=True', 'NamesAccepted=True']);
  }
});

describe('a policy that the file source accepts', () => {
  test.each(acceptedSpecs)('%s', async (text) => {
    const spec = parse(text);
    expect(issues('QuantumSecurityPolicy', spec)).toEqual([]);
    expect(await refusal('QuantumSecurityPolicy', spec)).toBeUndefined();
  });
});

/** The API server drops a field that is `null` before it looks at the schema; the file source can ask what was meant. */
const withoutValue = '{postQuantumEncryption: }';

describe('a policy that the file source refuses', () => {
  test.each(refusedSpecs.filter(([, text]) => text !== withoutValue))('%s %s', async (code, text) => {
    const spec = parse(text);
    const found = issues('QuantumSecurityPolicy', spec);
    expect(found).not.toEqual([]);
    const message = await refusal('QuantumSecurityPolicy', spec);
    expect(message).toBeDefined();
    if (code !== 'RuleViolated') return;
    // The same rule, by its own words.
    const [first] = found.filter((issue) => issue.code === code);
    expect(message).toContain(first?.message.split(': ').slice(1).join(': '));
  });
});

const selector = '{matchLabels: {app: a}}';
const service = (fields: string) => `{selector: ${selector}, ${fields}}`;

describe('a QuantumService: both say the same', () => {
  test.each([
    ['accepted', `{selector: ${selector}}`],
    ['accepted', service('ports: [{name: a, port: 1}, {name: b, port: 65535, appProtocol: grpc}]')],
    ['accepted', service('traffic: {timeout: 1m30s, retries: {attempts: 0}}')],
    ['accepted', service('quantumResources: {qubits: 0, cryptoAcceleration: true}')],
    ['refused', '{}'],
    ['refused', '{selector: {}}'],
    ['refused', '{selector: {matchExpressions: [{key: a, operator: In}]}}'],
    ['refused', '{selector: {matchExpressions: [{key: a, operator: Exists, values: [a]}]}}'],
    ['refused', service('ports: []')],
    ['refused', service('ports: [{name: a, port: 1}, {name: a, port: 2}]')],
    ['refused', service('ports: [{name: A, port: 1}]')],
    ['refused', service('ports: [{name: a, port: 0}]')],
    ['refused', service('ports: [{name: a, port: 65536}]')],
    ['refused', service('traffic: {}')],
    ['refused', service('traffic: {timeout: 1.5s}')],
    ['refused', service('traffic: {timeouts: 1s}')],
    ['refused', service('traffic: {retries: {attempts: 11}}')],
    ['refused', service('quantumResources: {qubits: -1}')],
    ['refused', service('quantumResources: {qubits: 1.5}')],
    ['refused', service('quantumResources: {cryptoAcceleration: "yes"}')],
  ])('%s %s', async (verdict, text) => {
    const spec = parse(text);
    expect(issues('QuantumService', spec).length === 0).toBe(verdict === 'accepted');
    expect((await refusal('QuantumService', spec)) === undefined).toBe(verdict === 'accepted');
  });
});

test('a missing spec is refused by both', async () => {
  for (const kind of ['QuantumSecurityPolicy', 'QuantumService'] as const) {
    expect(issues(kind, undefined)).not.toEqual([]);
    expect(await refusal(kind, undefined)).toContain('spec');
  }
});

test('a field without a value is dropped by the API server, which the file source refuses', async () => {
  const path = '/apis/security.quantum.io/v1/namespaces/default/quantumsecuritypolicies?dryRun=All';
  expect(refusedSpecs.map(([, text]) => text)).toContain(withoutValue);
  const { body } = await kube.request('POST', `${path}&fieldValidation=Strict`, {
    ...{ apiVersion: 'security.quantum.io/v1', kind: 'QuantumSecurityPolicy' },
    ...{ metadata: { name: 'a' }, spec: parse(withoutValue) },
  });
  expect((body as { spec: object }).spec).toEqual({ enforcement: 'enforce' });
});

test('the default is filled in by the API server too', async () => {
  const path = '/apis/security.quantum.io/v1/namespaces/default/quantumsecuritypolicies?dryRun=All';
  const { body } = await kube.request('POST', path, {
    ...{ apiVersion: 'security.quantum.io/v1', kind: 'QuantumSecurityPolicy' },
    ...{ metadata: { name: 'a' }, spec: { authorization: [] } },
  });
  expect(body).toMatchObject({ spec: { authorization: [], enforcement: 'enforce' } });
});

test('the resources of the example are accepted as they are', async () => {
  const files = (await readdir(examples, { recursive: true })).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(files.map((name) => readFile(join(examples, name), 'utf8')));
  const objects = texts.flatMap((text) => parseAllDocuments(text)).map((document) => document.toJS());
  const own = objects.filter((object) => object?.kind in places);
  expect(own.length).toBeGreaterThan(1);
  for (const { kind, spec } of own) expect(await refusal(kind, spec)).toBeUndefined();
});
