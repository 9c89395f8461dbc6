// From objects to the state of the mesh: what one author gets wrong keeps nobody else's change from taking effect, and opens
// nothing.

import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { MeshState } from '../../../../src/model/mesh.ts';
import { createMeshManifestParser } from '../../../../src/policy/manifest-parser.ts';
import { assemble } from '../../../../src/sources/kubernetes/mesh/assemble.ts';
import { MeshObjects } from '../../../../src/sources/kubernetes/mesh/mesh-objects.ts';
import { resourceTypes } from '../../../../src/sources/kubernetes/reflect/resource-type.ts';
import { readWatchEvent } from '../../../../src/sources/kubernetes/reflect/wire.ts';
import { definitions, meshOptions as plain, pod, policy, service } from '../../model/support.ts';

const meshOptions = { ...plain, parse: createMeshManifestParser(definitions) };

let objects: MeshObjects;
let state: MeshState | undefined;
let version = 0;

beforeEach(() => {
  objects = new MeshObjects(meshOptions.parse, () => {});
  state = undefined;
  for (const { kind } of resourceTypes) sinks.set(kind, objects.sinkOf(kind));
});

const sinks = new Map<string, ReturnType<MeshObjects['sinkOf']>>();

interface Wire {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid?: string };
}

/** As an event of a watch brings it. */
function set(text: string, uid?: string): void {
  const wire = parse(text) as Wire;
  const { kind, metadata } = wire;
  version++;
  const whole = { uid: uid ?? `uid-${kind}-${metadata.name}`, resourceVersion: String(version), ...metadata };
  const type = resourceTypes.find((each) => each.kind === kind);
  if (type === undefined) throw new Error(kind);
  const line = JSON.stringify({ type: 'MODIFIED', object: { ...wire, metadata: whole } });
  const event = readWatchEvent(type, line);
  const sink = sinks.get(kind);
  if (event.type === 'set' && sink !== undefined) sink.set(event.object.key, sink.read(event.object));
}

/** The messages of what is wrong. */
function build(): readonly string[] {
  const { state: next, problems } = assemble(objects.all(), meshOptions, state);
  state = next ?? state;
  return problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
}

const specOf = (name = 'trading/policy') => state?.policies.get(name as `${string}/${string}`)?.spec;
const badCondition = '{authorization: [{from: [{principals: ["*"]}], condition: "nonsense("}]}';

test('what is unchanged keeps its identity', () => {
  set(pod('a'));
  set(service('a', '[{name: http, port: 80}]'));
  expect(build()).toEqual([]);
  const before = state;
  expect(build()).toEqual([]);
  expect(state).toBe(before);
  set(service('a', '[{name: http, port: 80}]', 'clusterIP: 10.0.0.1'));
  build();
  expect(state?.workloads).toBe(before?.workloads);
  expect(state?.services).not.toBe(before?.services);
});

test('a list brings no new object where the version is the same', () => {
  const sink = sinks.get('Pod');
  const wire = { key: 'a/b', uid: 'u', resourceVersion: '1', content: parse(pod('b', { namespace: 'a' })) };
  const first = sink?.read(wire);
  if (sink === undefined || first === undefined) throw new Error('no sink');
  sink.replace(new Map([[wire.key, first]]));
  expect(sink.read(wire)).toBe(first);
  expect(sink.read({ ...wire, resourceVersion: '2' })).not.toBe(first);
  expect(sink.read({ ...wire, uid: 'v' })).not.toBe(first);
});

describe('a version that cannot be used', () => {
  test('of a pod never seen before is left out, the others count', () => {
    set(pod('good'));
    set(pod('bad', { ports: '[{containerPort: 99999}]' }));
    expect(build()).toEqual([expect.stringMatching(/containerPort.*; it is left out$/)]);
    expect([...(state?.workloads.keys() ?? [])]).toEqual(['trading/good']);
  });

  test('does not take the place of the last good one, and other changes take effect', () => {
    set(pod('a'));
    set(policy('{complianceLevel: none, authorization: []}'));
    expect(build()).toEqual([]);
    const good = specOf();
    set(policy(badCondition));
    set(pod('b'));
    expect(build()).toEqual([expect.stringMatching(/; its last good version stays in force$/)]);
    expect(specOf()).toBe(good);
    expect(state?.workloads.size).toBe(2);
    // Again and again, as long as it is there.
    set(pod('c'));
    expect(build()).toHaveLength(1);
    expect(specOf()).toBe(good);
    set(policy('{authorization: []}'));
    expect(build()).toEqual([]);
    expect(specOf()).toEqual({ enforcement: 'enforce', authorization: [] });
  });

  test('of an object that was deleted and made again has no last good one', () => {
    set(policy('{complianceLevel: none}'));
    build();
    set(policy(badCondition), 'another-uid');
    expect(build()).toEqual([expect.stringMatching(/nothing is allowed where it holds$/)]);
    expect(specOf()).toEqual({ enforcement: 'enforce', authorization: [] });
  });

  test('that is wrong only in its place is set aside too', () => {
    set(pod('a'));
    set(policy('{quarantine: []}'));
    expect(build()).toEqual([
      expect.stringMatching(/only allowed in the root namespace.*nothing is allowed/),
    ]);
    expect(specOf()).toEqual({ enforcement: 'enforce', authorization: [] });
    expect(state?.workloads.size).toBe(1);
  });

  test('of a Service that takes the address of another', () => {
    set(service('a', '[{name: http, port: 80}]', 'clusterIP: 10.0.0.1'));
    set(service('b', '[{name: http, port: 80}]', 'clusterIP: 10.0.0.2'));
    expect(build()).toEqual([]);
    set(service('b', '[{name: http, port: 80}]', 'clusterIP: 10.0.0.1'));
    set(service('c', '[{name: http, port: 80}]'));
    expect(build()).toEqual([expect.stringMatching(/same cluster IP.*last good/)]);
    expect(state?.services.get('trading/b')?.clusterIps).toEqual(['10.0.0.2']);
    expect(state?.services.has('trading/c')).toBe(true);
  });
});

describe('what a policy revokes holds although the rest of the edit cannot be used', () => {
  const digest = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`;
  const key = 'ab'.repeat(32);
  const [one, two, three] = [digest(1), digest(2), digest(3)];
  const revoking = (...digests: readonly unknown[]) => `revoked: {digests: ${JSON.stringify(digests)}}`;
  const mistake = 'enforcement: nonsense';

  beforeEach(() => {
    set(policy(`{complianceLevel: none, ${revoking(one)}}`));
    expect(build()).toEqual([]);
  });

  test('together with all that was in force', () => {
    set(policy(`{complianceLevel: none, ${revoking(one, two)}, ${mistake}}`));
    expect(build()).toEqual([
      expect.stringMatching(/; its last good version stays in force, and what is revoked here is revoked$/),
    ]);
    expect(specOf()).toEqual({
      ...{ enforcement: 'enforce', complianceLevel: 'none' },
      revoked: { digests: [one, two] },
    });
    const inForce = specOf();
    set(pod('a'));
    build();
    expect(specOf()).toBe(inForce);
  });

  test('also where it is wrong only in its place', () => {
    set(policy(`{complianceLevel: none, ${revoking(two)}, quarantine: []}`));
    expect(build()).toEqual([expect.stringMatching(/only allowed in the root namespace.*is revoked$/)]);
    expect(specOf()?.revoked).toEqual({ digests: [one, two] });
  });

  test('as far as it can be read', () => {
    set(policy(`{revoked: {digests: ["sha256:short", 7, "${two}"], keys: ["${key}"], more: 1}}`));
    expect(build().length).toBeGreaterThan(0);
    expect(specOf()).toMatchObject({
      complianceLevel: 'none',
      revoked: { digests: [one, two], keys: [key] },
    });
    set(policy('{revoked: 7}'));
    expect(build()).toEqual([expect.stringMatching(/its last good version stays in force$/)]);
    expect(specOf()?.revoked).toEqual({ digests: [one] });
  });

  test('a digest of an algorithm that images are not named by is said, and takes nothing from the others', () => {
    set(policy(`{complianceLevel: none, ${revoking(`sha384:${'ab'.repeat(48)}`, two)}}`));
    expect(build()).toEqual([
      expect.stringMatching(/digests\[0\].*SHA-256 or SHA-512.*what is revoked here is revoked$/),
    ]);
    expect(specOf()).toMatchObject({ complianceLevel: 'none', revoked: { digests: [one, two] } });
  });

  test('for as long as that edit is the newest', () => {
    set(policy(`{${revoking(two)}, ${mistake}}`));
    build();
    set(policy(`{${revoking(three)}, ${mistake}}`));
    build();
    expect(specOf()?.revoked).toEqual({ digests: [one, three] });
    set(policy(`{complianceLevel: none, ${revoking(two)}}`));
    expect(build()).toEqual([]);
    expect(specOf()?.revoked).toEqual({ digests: [two] });
  });

  test('and takes nothing back: a mistake cannot loosen anything', () => {
    set(policy(`{${mistake}}`));
    expect(build()).toEqual([expect.stringMatching(/its last good version stays in force$/)]);
    expect(specOf()?.revoked).toEqual({ digests: [one] });
  });
});

describe('a policy that never could be used is closed', () => {
  test('and bears the reason, for whoever is denied by it', () => {
    set(policy(badCondition));
    const [problem = ''] = build();
    const unusable = state?.policies.get('trading/policy')?.unusable;
    expect(unusable).toMatch(/condition/);
    expect(problem).toContain(unusable);
    const before = state;
    build();
    expect(state).toBe(before);
    set(policy('{}'));
    build();
    expect(state?.policies.get('trading/policy')).not.toHaveProperty('unusable');
  });

  test('also where it is wrong only in its place', () => {
    set(policy('{quarantine: []}'));
    build();
    expect(state?.policies.get('trading/policy')?.unusable).toMatch(/only allowed in the root namespace/);
  });

  test.each([
    ['enforcement: enforce', /; until it is mended, nothing is allowed where it holds$/],
    ['enforcement: warn', /; until it is mended, all .* is allowed with a warning$/],
    ['enforcement: audit', /; until it is mended, all .* is allowed, and recorded as what would be denied$/],
    [
      `enforcement: audit, revoked: {keys: ["${'ab'.repeat(32)}"]}`,
      /recorded as what would be denied, and nothing but what it revokes is denied$/,
    ],
  ])('which is said as it is: %s', (spec, meaning) => {
    set(policy(`{${spec}, quarantine: [x]}`));
    expect(build()).toEqual([expect.stringMatching(meaning)]);
  });

  test('which is no good version of it', () => {
    set(policy(badCondition));
    build();
    expect(build()).toEqual([expect.stringMatching(/nothing is allowed where it holds$/)]);
    set(policy('{images: [{match: ["**"], action: allow}], quarantine: []}'));
    expect(build()).toEqual([expect.stringMatching(/nothing is allowed where it holds$/)]);
    expect(specOf()?.images).toEqual([{ match: ['**'], action: 'deny' }]);
  });

  const image = '{match: ["**"], action: deny}';

  test.each([
    [badCondition, { enforcement: 'enforce', authorization: [] }],
    [
      '{selector: {matchLabels: {app: a}}, enforcement: audit, quantumAuthentication: hybrid, quarantine: [x]}',
      {
        ...{ selector: { matchLabels: { app: 'a' } }, enforcement: 'audit', quantumAuthentication: 'hybrid' },
        authorization: [],
      },
    ],
    [
      `{selector: {matchLabels: {app: a}}, images: [${image}], enforcement: warn}`,
      { enforcement: 'warn', authorization: [], images: [{ match: ['**'], action: 'deny' }] },
    ],
    [
      `{revoked: {keys: ["${'ab'.repeat(32)}"]}, complianceLevel: none, quarantine: [x]}`,
      {
        ...{ enforcement: 'enforce', authorization: [], images: [{ match: ['**'], action: 'deny' }] },
        ...{ revoked: { keys: ['ab'.repeat(32)] }, complianceLevel: 'none' },
      },
    ],
    // An algorithm that images are not named by, and that the schema once took.
    [
      `{enforcement: audit, revoked: {digests: ["sha384:${'ab'.repeat(48)}", "sha256:${'ab'.repeat(32)}"]}}`,
      {
        ...{ enforcement: 'audit', authorization: [], images: [{ match: ['**'], action: 'deny' }] },
        revoked: { digests: [`sha256:${'ab'.repeat(32)}`] },
      },
    ],
    [
      '{enforcement: lax, revoked: 7}',
      {
        ...{ enforcement: 'enforce', postQuantumEncryption: 'required', authorization: [] },
        images: [{ match: ['**'], action: 'deny' }],
      },
    ],
    ['7', { enforcement: 'enforce', authorization: [] }],
  ])('%s', (spec, closed) => {
    set(policy(spec));
    expect(build().length).toBeGreaterThan(0);
    expect(specOf()).toEqual(closed);
  });

  test('whatever it revokes', () => {
    const tooMany = Array.from({ length: 1025 }, () => `sha256:${'ab'.repeat(32)}`);
    set(policy(`{enforcement: audit, revoked: {digests: ${JSON.stringify(tooMany)}}}`));
    build();
    expect(specOf()).toEqual({
      ...{ enforcement: 'enforce', postQuantumEncryption: 'required', authorization: [] },
      images: [{ match: ['**'], action: 'deny' }],
    });
  });
});
