// Pods in, pods out: what mutating makes of a pod under policies, and what is then said of its sidecar.
// After an intended change: UPDATE_GOLDEN=1 npm test, then read the diff.

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { type MutationContext, mutate } from '../../src/admission/mutate/mutate.ts';
import { checkSidecar } from '../../src/admission/sidecar/check-sidecar.ts';
import type { PodObject } from '../../src/admission/sidecar/pod-object.ts';
import type { SidecarSettings } from '../../src/admission/sidecar/settings.ts';
import { shouldBeMeshed } from '../../src/admission/sidecar/should-be-meshed.ts';
import type { Policy } from '../../src/model/mesh.ts';
import { policiesForNamespace } from '../../src/policy/selection.ts';
import { anonymous } from '../../src/registry/auth/credentials.ts';
import { digestOf } from '../../src/registry/digest.ts';
import { formatReference } from '../../src/registry/reference.ts';
import { requestOf } from '../support/review.ts';
import { patched } from '../unit/admission/sidecar/support.ts';

const folder = join(import.meta.dirname, 'sidecar');
const cases = await readdir(folder);

const sidecar: SidecarSettings = {
  revisions: [{ name: '1-40-0', image: `docker.io/envoyproxy/envoy@sha256:${'a'.repeat(64)}` }],
};

/** Images of `trading` must be digests; which, their names decide. */
const judge: MutationContext['judge'] = {
  mustBeDigest: ({ path }) => path.startsWith('trading/'),
  resolve: async ({ reference }) => digestOf(Buffer.from(formatReference(reference))),
};

interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: unknown;
}

async function outcome(text: string): Promise<object> {
  const [pod, ...others] = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  if (pod?.kind !== 'Pod') throw new Error('the first document is the pod');
  const policies = others.map(
    ({ metadata: { namespace, name }, spec }): Policy => ({ namespace, name, spec: spec as Policy['spec'] }),
  );
  const { namespace, labels = {} } = pod.metadata;
  const request = requestOf(pod as unknown as PodObject, { namespace, name: pod.metadata.name });
  const credentials = async () => ({ scope: '', source: anonymous });
  const rootNamespace = 'trellis-system';
  const context: MutationContext = { policies, rootNamespace, judge, credentials, sidecar };
  const patch = await mutate(request, context, new AbortController().signal);
  const mutated = patched(request.object, patch);
  const should = shouldBeMeshed(policiesForNamespace(policies, rootNamespace, namespace), labels);
  const { state } = checkSidecar(mutated, should, sidecar);
  return { changed: patch.map(({ op, path }) => `${op} ${path}`), should, sidecar: state, pod: mutated };
}

test('there are cases', () => {
  expect(cases.length).toBeGreaterThan(7);
});

describe.each(cases)('%s', (name) => {
  test('is mutated as recorded', async () => {
    const actual = await outcome(await readFile(join(folder, name, 'in.yaml'), 'utf8'));
    const file = join(folder, name, 'out.yaml');
    if (process.env['UPDATE_GOLDEN'] === '1') {
      await writeFile(file, stringify(actual, { lineWidth: 110, aliasDuplicateObjects: false }));
    }
    expect(actual).toEqual(parse(await readFile(file, 'utf8')));
  });
});
