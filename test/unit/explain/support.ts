// A small mesh, and questions about it.

import { type CalledName, findCalled, findCaller } from '../../../src/cli/explain/find.ts';
import { parseHeader } from '../../../src/cli/explain/parse-request.ts';
import { explain } from '../../../src/explain/explain.ts';
import type { Explanation } from '../../../src/explain/explanation.ts';
import type { AskedRequest } from '../../../src/explain/request.ts';
import type { MeshState, NamespacedName } from '../../../src/model/mesh.ts';
import type { TokenVerifier } from '../../../src/policy/authorize/token.ts';
import { meshFromYaml } from '../../support/mesh-from-yaml.ts';

const now = new Date('2026-03-01T12:00:00Z');

const volume = 'volumes: [{name: id, csi: {driver: csi.trellis.quantum.io, readOnly: true}}]';

function pod(name: string, address: string, options: { app?: string; meshed?: boolean } = {}): string {
  const { app = name, meshed = true } = options;
  return `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {app: ${app}, pod: ${name}}}
spec:
  serviceAccountName: ${app}
  containers: [{name: app, ports: [{containerPort: 8080}, {containerPort: 9000}]}]
  ${meshed ? volume : ''}
status: {phase: Running, podIP: ${address}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${app}, namespace: shop}
`;
}

function service(name: string, endpoints: readonly (readonly [pod: string, address: string])[]): string {
  const listed = endpoints.map(
    ([each, address]) => `{addresses: [${address}], targetRef: {kind: Pod, name: ${each}, namespace: shop}}`,
  );
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec:
  ports:
  - {name: http, port: 80, targetPort: 8080, appProtocol: http}
  - {name: tcp, port: 9000, appProtocol: tcp}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [${listed.join(', ')}]
ports: [{name: http, port: 8080}, {name: tcp, port: 9000}]
`;
}

const baseMesh = [
  pod('client', '10.0.0.1'),
  pod('server-1', '10.0.0.2', { app: 'server' }),
  pod('server-2', '10.0.0.3', { app: 'server' }),
  pod('legacy', '10.0.0.4', { meshed: false }),
  pod('lonely', '10.0.0.5'),
  service('server', [
    ['server-1', '10.0.0.2'],
    ['server-2', '10.0.0.3'],
  ]),
  service('mixed', [
    ['server-1', '10.0.0.2'],
    ['legacy', '10.0.0.4'],
  ]),
  service('legacy', [['legacy', '10.0.0.4']]),
  service('empty', []),
].join('---\n');

export function policy(name: NamespacedName, spec: string): string {
  const [namespace, own] = name.split('/');
  return `
---
apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: ${own}, namespace: ${namespace}}
spec: ${spec}
`;
}

export function mesh(...policies: readonly string[]): MeshState {
  return meshFromYaml(baseMesh + policies.join(''));
}

export const clientId = 'spiffe://cluster.local/ns/shop/sa/client';
export const serverId = 'spiffe://cluster.local/ns/shop/sa/server';

export interface Asked {
  readonly from?: NamespacedName;
  readonly to?: NamespacedName;
  readonly kind?: CalledName['kind'];
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly token?: string;
  readonly verifyToken?: TokenVerifier;
}

/** Of a GET from the client to the server's HTTP port, unless told otherwise. */
export function ask(state: MeshState, asked: Asked = {}): Explanation {
  const request: AskedRequest = {
    method: asked.method,
    path: asked.path ?? '/a',
    headers: (asked.headers ?? []).map(parseHeader),
    token: asked.token,
  };
  return explain({
    state,
    caller: findCaller(state, asked.from ?? 'shop/client'),
    called: findCalled(state, { kind: asked.kind, name: asked.to ?? 'shop/server' }, asked.port ?? 80),
    asked: request,
    token: undefined,
    verifyToken: asked.verifyToken ?? (() => 'token-malformed'),
    now,
  });
}
