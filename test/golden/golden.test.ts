// Manifests in, Envoy resources out: one pair per feature under cases/. Every output is accepted by a real Envoy.
// After an intended change: UPDATE_GOLDEN=1 npm test, then read the diff.

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { MeshState, Workload } from '../../src/model/mesh.ts';
import { effectivePolicy } from '../../src/policy/effective.ts';
import {
  reachableService,
  takesPart,
  translateEgress,
  translateService,
  translateWorkload,
} from '../../src/xds/translate/mesh.ts';
import type { EnvoyResource } from '../../src/xds/translate/resources.ts';
import { validateEnvoy } from '../support/envoy.ts';
import { resourceToJson } from '../support/envoy-json.ts';
import { meshFromYaml } from '../support/mesh-from-yaml.ts';
import { validationBootstrap } from './validation-bootstrap.ts';

const folder = join(import.meta.dirname, 'cases');
const cases = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory());
const base = await readFile(join(folder, 'base.yaml'), 'utf8');

/** As with SVIDs that live an hour. */
const settings = {
  trustDomain: 'cluster.local',
  maxConnectionAgeMs: 1_440_000,
  denialReasons: 'shown' as const,
};

interface Output {
  /** Clusters and endpoints: the same for every proxy. */
  readonly shared: readonly JsonObject[];
  /** By workload. */
  readonly own: Readonly<Record<string, readonly JsonObject[]>>;
}

function translate(state: MeshState): Output {
  const meshed = (workload: Workload) => takesPart(workload, effectivePolicy(state, workload));
  const services = [...state.services.values()].map((service) => reachableService(state, service, meshed));
  const own: Record<string, JsonObject[]> = {};
  for (const [name, workload] of state.workloads) {
    if (!meshed(workload)) continue;
    const policy = effectivePolicy(state, workload);
    const resources = [
      ...translateWorkload(workload, policy, settings),
      translateEgress(workload, services, policy),
    ];
    own[name] = resources.map(describeResource);
  }
  return {
    shared: services.flatMap((service) => translateService(service, settings)).map(describeResource),
    own,
  };
}

function describeResource(resource: EnvoyResource): JsonObject {
  return { '@type': resource.$typeName, ...resourceToJson(resource) };
}

test('there are cases', () => {
  expect(cases.length).toBeGreaterThan(10);
});

describe.each(cases.map((entry) => entry.name))('%s', (name) => {
  const file = join(folder, name, 'out.yaml');
  const output = async () =>
    translate(meshFromYaml(base, await readFile(join(folder, name, 'in.yaml'), 'utf8')));

  test('translates as recorded', async () => {
    const actual = await output();
    if (process.env['UPDATE_GOLDEN'] === '1') {
      await writeFile(file, stringify(actual, { lineWidth: 110, aliasDuplicateObjects: false }));
    }
    expect(actual).toEqual(parse(await readFile(file, 'utf8')));
  });

  test('is accepted by Envoy', async () => {
    const { shared, own } = await output();
    expect(Object.keys(own)).not.toHaveLength(0);
    for (const resources of Object.values(own)) {
      const verdict = await validateEnvoy(validationBootstrap([...shared, ...resources]));
      expect(verdict).toMatchObject({ ok: true });
    }
  });
});
