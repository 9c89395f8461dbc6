// Manifests in short, and the parser made from the schemas that ship.

import { parseAllDocuments } from 'yaml';
import { buildMeshState, type MeshBuild, type MeshOptions } from '../../../src/model/build.ts';
import { createCustomResourceValidator } from '../../../src/model/crd-validator.ts';
import type { Manifest } from '../../../src/model/manifest.ts';
import type { MeshState } from '../../../src/model/mesh.ts';
import { createManifestParser } from '../../../src/model/parse.ts';
import type { Problem } from '../../../src/model/problem.ts';
import { readCustomResourceDefinitions } from '../../../src/sources/crds.ts';

export const definitions = await readCustomResourceDefinitions();

const parse = createManifestParser(createCustomResourceValidator(definitions));

export const meshOptions: MeshOptions = {
  trustDomain: 'cluster.local',
  rootNamespace: 'trellis-system',
  parse,
};

export function manifests(...texts: string[]): Manifest[] {
  return texts
    .flatMap((text) => [...parseAllDocuments(text)])
    .map((document) => ({ content: (document as { toJS(): unknown }).toJS() }));
}

export function build(...texts: string[]): MeshBuild {
  return buildMeshState(manifests(...texts), meshOptions);
}

/** The state of manifests that are expected to be good. */
export function stateOf(...texts: string[]): MeshState {
  const { state, problems } = build(...texts);
  if (state === undefined) throw new Error(problems.map((problem) => problem.message).join('\n'));
  return state;
}

/** `severity code` of each problem, sorted. */
export function codes(problems: readonly Problem[]): string[] {
  return problems.map(({ severity, code }) => `${severity} ${code}`).sort();
}

export interface PodText {
  readonly namespace?: string;
  readonly labels?: string;
  readonly ports?: string;
  readonly rest?: string;
  readonly status?: string;
}

export function pod(name: string, text: PodText = {}): string {
  return `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${text.namespace ?? 'trading'}, labels: ${text.labels ?? `{app: ${name}}`}}
spec: {containers: [{name: app, ports: ${text.ports ?? '[]'}}], ${text.rest ?? ''}}
status: ${text.status ?? '{phase: Running}'}
`;
}

export function service(name: string, ports: string, rest = ''): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: trading}
spec: {selector: {app: ${name}}, ports: ${ports}, ${rest}}
`;
}

export function slice(name: string, serviceName: string, ports: string, endpoints: string): string {
  return `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: trading, labels: {kubernetes.io/service-name: ${serviceName}}}
addressType: IPv4
ports: ${ports}
endpoints: ${endpoints}
`;
}

export function policy(spec: string, namespace = 'trading', name = 'policy'): string {
  return `
apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
}
