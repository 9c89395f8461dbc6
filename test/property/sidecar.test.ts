// Injecting and mutating, on arbitrary pods: twice is once, nothing of the author's is lost, what was injected is found genuine,
// and what differs from it anywhere is not.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MutationContext, mutate } from '../../src/admission/mutate/mutate.ts';
import type { AdmissionRequest } from '../../src/admission/review/request.ts';
import { checkSidecar } from '../../src/admission/sidecar/check-sidecar.ts';
import { identityMounts } from '../../src/admission/sidecar/identity-mounts.ts';
import { itemsOf, type PodObject, specOf } from '../../src/admission/sidecar/pod-object.ts';
import { reservedPlaces } from '../../src/admission/sidecar/reserved.ts';
import type { SidecarRevision, SidecarSettings } from '../../src/admission/sidecar/settings.ts';
import { anonymous } from '../../src/registry/auth/credentials.ts';
import { isDigest } from '../../src/registry/digest.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { injected, patched } from '../unit/admission/sidecar/support.ts';

const revisionOf = (letter: string): SidecarRevision => ({
  name: `r-${letter}`,
  image: `registry.example/envoy@sha256:${letter.repeat(64)}`,
});
const revision = revisionOf('a');
const settings: SidecarSettings = { revisions: [revision, revisionOf('b')] };

const name = fc.constantFrom('app', 'b', 'web-1', 'migrate', 'constructor');
const reservedOrNot = fc.oneof(
  { weight: 9, arbitrary: name },
  { weight: 1, arbitrary: fc.constant('trellis-proxy') },
);
const image = fc.constantFrom(
  'app',
  'registry.example/a:1',
  `registry.example/a:1@sha256:${'e'.repeat(64)}`,
  'down.example/a',
  'Not An Image',
  '',
);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const container = fc.record(
  {
    name: reservedOrNot,
    image,
    volumeMounts: fc.array(fc.record({ name: fc.constantFrom('data', 'trellis-agent', 'mine') })),
    securityContext: fc.dictionary(fc.string(), fc.jsonValue()),
  },
  { requiredKeys: ['name'] },
);
const volume = fc.oneof(
  fc.record({ name, emptyDir: fc.constant({}) }),
  fc.record({ name, image: fc.record({ reference: image }) }),
  fc.record({
    name: fc.constantFrom('mine', 'trellis-agent'),
    csi: fc.record({ driver: fc.constantFrom('csi.trellis.quantum.io', 'csi.example') }),
  }),
);
const pod = fc.record({
  metadata: optional(
    fc.record({
      labels: optional(fc.dictionary(fc.string(), fc.string())),
      annotations: optional(fc.constantFrom({}, { a: 'b' }, { 'kubernetes.io/config.mirror': 'x' })),
    }),
  ),
  spec: fc.record({
    initContainers: optional(fc.array(container, { maxLength: 3 })),
    containers: fc.array(container, { maxLength: 3 }),
    ephemeralContainers: optional(fc.array(container, { maxLength: 1 })),
    volumes: optional(fc.array(volume, { maxLength: 3 })),
    hostNetwork: optional(fc.boolean()),
    os: optional(fc.constantFrom({ name: 'linux' }, { name: 'windows' })),
  }),
}) as fc.Arbitrary<PodObject>;

const context: MutationContext = {
  policies: [{ namespace: 'trading', name: 'a', spec: { postQuantumEncryption: 'required' } }],
  rootNamespace: 'trellis-system',
  judge: {
    mustBeDigest: () => true,
    resolve: async ({ reference }) => {
      if (reference.registry === 'down.example') throw new Error('unreachable');
      return `sha256:${'d'.repeat(64)}`;
    },
  },
  credentials: async () => ({ scope: '', source: anonymous }),
  sidecar: settings,
};
const signal = new AbortController().signal;

function request(object: PodObject): AdmissionRequest {
  return {
    ...{ uid: 'u', operation: 'CREATE', namespace: 'trading', name: undefined, dryRun: false, object },
    ...{ kind: { group: '', version: 'v1', kind: 'Pod' }, subResource: undefined, oldObject: undefined },
  };
}

async function mutated(object: PodObject): Promise<PodObject> {
  return patched(object, await mutate(request(object), context, signal));
}

test('injecting twice is injecting once, and what is injected is genuine', () => {
  const seen = { injected: 0, left: 0 };
  fc.assert(
    fc.property(pod, (before) => {
      const once = injected(before, revision);
      expect(injected(once, revision)).toEqual(once);
      if (reservedPlaces(before).length > 0) {
        seen.left++;
        expect(once).toEqual(before);
        expect(checkSidecar(once, true, settings)).toMatchObject({ state: 'altered' });
      } else {
        seen.injected++;
        expect(checkSidecar(before, true, settings)).toMatchObject({ state: 'missing' });
        expect(checkSidecar(once, true, settings)).toEqual({ state: 'ok', revision });
      }
    }),
    { numRuns: fuzzRuns(300) },
  );
  expect(Math.min(seen.injected, seen.left)).toBeGreaterThan(0);
});

test('mutating twice is mutating once; nothing but images changes, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(pod, async (before) => {
      const once = await mutated(before);
      expect(await mutated(once)).toEqual(once);
      expect(theRest(once)).toEqual(theRest(before));
      for (const { image: text } of itemsOf(specOf(once), 'containers')) {
        if (typeof text !== 'string' || !text.includes('@')) continue;
        expect(isDigest(parseReference(text).digest ?? '')).toBe(true);
      }
    }),
    { numRuns: fuzzRuns(300) },
  );
});

test('a sidecar that differs anywhere is none', () => {
  const clean = injected({ spec: { containers: [{ name: 'app' }] } }, revision);
  const places = leavesOf({ spec: specOf(clean) }).filter(
    (path) => path.startsWith('spec/initContainers/0/') || path.startsWith('spec/volumes/'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.jsonValue(), (path, value) => {
      const copy = structuredClone(clean);
      const steps = path.split('/');
      const last = steps.pop() ?? '';
      const parent = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], copy);
      const fields = parent as Record<string, unknown>;
      if (JSON.stringify(fields[last]) === JSON.stringify(value)) return;
      fields[last] = value;
      // AlwaysPullImages writes it.
      if (last === 'imagePullPolicy' && value === 'Always') return;
      expect(checkSidecar(copy, true, settings).state, path).not.toBe('ok');
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('whatever comes, there is an answer, and it is not yes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom('spec', 'metadata'), fc.jsonValue()), async (object) => {
      expect(checkSidecar(object, true, settings).state).not.toBe('ok');
      expect(identityMounts(object)).toEqual([]);
      expect(await mutate(request(object), context, signal)).toBeInstanceOf(Array);
    }),
    { numRuns: fuzzRuns(200) },
  );
});

/** The pod less its images and whatever bears a name of the sidecar's. */
function theRest(object: PodObject): unknown {
  const spec = specOf(object);
  const isReserved = (item: unknown) => {
    const { name: own } = item as { readonly name?: unknown };
    return ['trellis-proxy', 'trellis-agent'].includes(String(own));
  };
  const bare = (list: string) =>
    itemsOf(spec, list)
      .filter((item) => !isReserved(item))
      .map(({ image: _, ...others }) => others);
  return {
    ...object,
    spec: {
      ...spec,
      ...Object.fromEntries(
        ['initContainers', 'containers', 'ephemeralContainers', 'volumes'].map((list) => [list, bare(list)]),
      ),
    },
  };
}

function leavesOf(value: unknown, path = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([field, inner]) =>
    leavesOf(inner, path === '' ? field : `${path}/${field}`),
  );
}
