import { expect, test } from 'vitest';
import { exampleManifests } from '../../../../src/cli/demo/manifests.ts';
import { exampleDirectory } from '../../../../src/cli/demo/programs.ts';
import { readServices } from '../../../../src/cli/demo/services.ts';

test('the example: eight services, the probe is none', async () => {
  const services = readServices(await exampleManifests(exampleDirectory, 'quantum-trader'), 'cluster.local');
  expect(services.map(({ name, port }) => `${name} ${port}`)).toEqual([
    'gateway 8000',
    'ai-engine 8001',
    'execution 8002',
    'risk-safety 8003',
    'portfolio 8004',
    'monitoring 8005',
    'rl-training 8006',
    'federation-ai 8007',
  ]);
  expect(new Set(services.map(({ address }) => address)).size).toBe(8);
  expect(services[4]).toMatchObject({
    namespace: 'quantum-trader',
    tcpPorts: [5432],
    spiffeId: 'spiffe://cluster.local/ns/quantum-trader/sa/portfolio',
  });
});

const service = (selector: string): string => `
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: ${selector}}, ports: [{port: 80, appProtocol: http}]}
---
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: web}
status: {podIP: 127.77.0.20}
`;

test.each([
  ['no pod', service('other'), /shop\/web needs one pod/],
  [
    'two pods',
    `${service('web')}---\n${service('web').split('---')[1]?.replace('web-0', 'web-1')}`,
    /needs one pod/,
  ],
  ['no address', service('web').replace('{podIP: 127.77.0.20}', '{}'), /web.yaml: the Pod in it/],
])('says which file is wrong: %s', (_what, text, message) => {
  expect(() => readServices([{ path: 'web.yaml', text }], 'cluster.local')).toThrow(message);
});
