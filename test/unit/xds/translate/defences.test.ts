// Defences of the translation that a golden file shows but does not explain: each test fails without its defence.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { MeshState, NamespacedName } from '../../../../src/model/mesh.ts';
import { effectivePolicy } from '../../../../src/policy/effective.ts';
import {
  reachableService,
  takesPart,
  translateEgress,
  translateService,
  translateWorkload,
} from '../../../../src/xds/translate/mesh.ts';
import { resourceToJson } from '../../../support/envoy-json.ts';
import { meshFromYaml } from '../../../support/mesh-from-yaml.ts';

const base = await readFile(join(import.meta.dirname, '../../../golden/cases/base.yaml'), 'utf8');
const settings = {
  trustDomain: 'cluster.local',
  maxConnectionAgeMs: 60_000,
  denialReasons: 'shown' as const,
};

interface Translated {
  readonly shared: readonly JsonObject[];
  readonly own: readonly JsonObject[];
}

function translate(state: MeshState, name: NamespacedName): Translated {
  const workload = state.workloads.get(name);
  if (workload === undefined) throw new Error(`no workload ${name}`);
  const policy = effectivePolicy(state, workload);
  const services = [...state.services.values()].map((service) =>
    reachableService(state, service, (each) => takesPart(each, effectivePolicy(state, each))),
  );
  return {
    shared: services.flatMap((service) => translateService(service, settings)).map(resourceToJson),
    own: [...translateWorkload(workload, policy, settings), translateEgress(workload, services, policy)].map(
      resourceToJson,
    ),
  };
}

function policy(name: string, namespace: string, spec: string): string {
  return `
apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
}

function named(resources: readonly JsonObject[], name: string): string {
  const found = resources.find((resource) => resource['name'] === name || resource['cluster_name'] === name);
  return JSON.stringify(found);
}

describe('the outbound listener, which lends the identity of its workload', () => {
  test('is on the loopback interface', () => {
    const { own } = translate(meshFromYaml(base), 'shop/client');
    expect(named(own, 'outbound')).toContain('"address":"127.0.0.1","port_value":15001');
    expect(named(own, 'outbound')).not.toContain('10.0.0.1');
  });

  test('is on the address of a workload that has a loopback address of its own', () => {
    const { own } = translate(meshFromYaml(base.replaceAll('10.0.0.', '127.99.0.')), 'shop/client');
    expect(named(own, 'outbound')).toContain('"address":"127.99.0.1","port_value":15001');
  });
});

test('a Service that targets a port of the proxy gives nobody a way into it', () => {
  const service = `
apiVersion: v1
kind: Service
metadata: {name: back-door, namespace: shop}
spec:
  clusterIP: 10.1.0.9
  selector: {app: server}
  ports: [{name: a, port: 80, targetPort: 15001}, {name: b, port: 81, targetPort: 15000}, {name: c, port: 82, targetPort: 15008}]
`;
  const text = JSON.stringify(translate(meshFromYaml(base, service), 'shop/server').own);
  expect(text).toContain('inbound|8080');
  for (const port of [15000, 15001, 15008]) expect(text).not.toContain(`inbound|${port}`);
});

test('a cluster for several target ports speaks TLS to endpoints that fit none of them', async () => {
  const input = join(import.meta.dirname, '../../../golden/cases/two-target-ports/in.yaml');
  const { shared } = translate(meshFromYaml(base, await readFile(input, 'utf8')), 'shop/client');
  const cluster = shared.find((resource) => resource['transport_socket_matches'] !== undefined);
  expect(cluster?.['transport_socket']).toBeDefined();
  expect(JSON.stringify(cluster?.['transport_socket'])).toContain('spiffe://cluster.local/ns/shop/sa/server');
});

describe('quarantine', () => {
  const id = 'spiffe://cluster.local/ns/shop/sa/server';
  const quarantined = meshFromYaml(base, policy('incident', 'trellis-system', `{quarantine: ["${id}"]}`));

  test('takes the endpoints away', () => {
    const { shared } = translate(quarantined, 'shop/client');
    expect(JSON.stringify(shared)).not.toContain('10.0.0.2');
  });

  test('takes them away from services outside the mesh too', () => {
    const legacy = policy(
      'legacy',
      'shop',
      '{selector: {matchLabels: {app: server}}, postQuantumEncryption: disabled}',
    );
    const state = meshFromYaml(base, legacy, policy('incident', 'trellis-system', `{quarantine: ["${id}"]}`));
    expect(JSON.stringify(translate(state, 'shop/client').shared)).not.toContain('10.0.0.2');
  });

  test('closes the workload itself, by name', () => {
    const { own } = translate(quarantined, 'shop/server');
    expect(named(own, 'inbound|8080')).toContain('deny:trellis-system/incident:quarantine');
    expect(named(own, 'outbound|shop')).toContain('deny:trellis-system/incident:quarantine');
  });

  test('in a policy that is only audited is no quarantine', () => {
    const audit = policy('incident', 'trellis-system', `{enforcement: audit, quarantine: ["${id}"]}`);
    const { own, shared } = translate(meshFromYaml(base, audit), 'shop/client');
    expect(JSON.stringify([own, shared])).not.toContain('quarantine');
    expect(JSON.stringify(shared)).toContain('10.0.0.2');
  });
});

describe('who may be a peer at all', () => {
  test('is decided by the route too, so that a stricter policy reaches connections made under a laxer one', () => {
    const { own } = translate(meshFromYaml(base), 'shop/server');
    expect(named(own, 'inbound|8080')).toMatch(
      /"not_matcher":\{"single_predicate":\{[^}]*\}\},"value_match":\{"prefix":"spiffe:\/\/cluster\.local\/ns\/"/,
    );
    expect(named(own, 'inbound|8080')).toContain('deny:mesh-default:quantumAuthentication');
  });

  test('leaves out the identities of Trellis itself where nobody needs a certificate', () => {
    const open = policy(
      'open',
      'shop',
      '{selector: {matchLabels: {app: server}}, quantumAuthentication: optional}',
    );
    const { own } = translate(meshFromYaml(base, open), 'shop/server');
    expect(named(own, 'inbound|8080')).toContain('"prefix":"spiffe://cluster.local/trellis/"');
    expect(named(own, 'inbound|8080')).not.toContain('"prefix":"spiffe://cluster.local/ns/"');
  });
});
