// The example that ships: without a problem, and with exactly the calls that its README lists.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MeshState } from '../../../../src/model/mesh.ts';
import { watched } from './support.ts';

const directory = join(import.meta.dirname, '../../../../examples/quantum-trader');
const services = [
  'gateway',
  'ai-engine',
  'execution',
  'risk-safety',
  'portfolio',
  'monitoring',
  'rl-training',
  'federation-ai',
];

async function load(): Promise<MeshState> {
  const mesh = await watched(directory);
  mesh.stop();
  expect(mesh.reports).toEqual([]);
  const state = mesh.current();
  if (state === undefined) throw new Error('no state');
  return state;
}

describe('quantum-trader', () => {
  test('has eight meshed services, each at its own address, joined to its pod', async () => {
    const state = await load();
    expect([...state.workloads.keys()].sort()).toEqual(
      services.map((name) => `quantum-trader/${name}`).sort(),
    );
    for (const [index, name] of services.entries()) {
      const workload = state.workloads.get(`quantum-trader/${name}`);
      expect(workload).toMatchObject({
        serviceAccount: name,
        meshed: true,
        addresses: [`127.77.0.${10 + index}`],
      });
      const service = state.services.get(`quantum-trader/${name}`);
      expect(service?.clusterIps).toEqual([`127.77.1.${10 + index}`]);
      expect(service?.ports.find(({ port }) => port === 8000 + index)).toEqual({
        name: 'http',
        port: 8000 + index,
        protocol: 'http',
        endpoints: [
          { address: `127.77.0.${10 + index}`, port: 8000 + index, workload: `quantum-trader/${name}` },
        ],
      });
      expect(workload?.ports.map(({ port, protocol }) => `${port} ${protocol}`)).toEqual(
        name === 'portfolio' ? ['5432 tcp', '8004 http'] : [`${8000 + index} http`],
      );
    }
  });

  test('is default deny: a mesh-wide baseline, and one policy with authorization per service', async () => {
    const { policies, quantumServices } = await load();
    expect(policies.get('trellis-system/mesh')?.spec).toEqual({
      enforcement: 'enforce',
      postQuantumEncryption: 'required',
      quantumAuthentication: 'enabled',
    });
    for (const name of services) {
      const spec = policies.get(`quantum-trader/${name}`)?.spec;
      expect(spec?.selector).toEqual({ matchLabels: { app: name } });
      expect(spec?.authorization).toBeDefined();
    }
    expect(policies.get('quantum-trader/execution')?.spec.quantumAuthentication).toBe('hybrid');
    expect(policies.size).toBe(services.length + 1);
    expect(quantumServices.get('quantum-trader/ai-engine')?.spec.traffic?.timeout).toBe('2s');
  });

  test('allows what its README says, and nothing else', async () => {
    const { policies } = await load();
    const allowed = services.flatMap((callee) =>
      (policies.get(`quantum-trader/${callee}`)?.spec.authorization ?? []).flatMap(
        ({ from, to, token, condition }) =>
          from.flatMap(({ principals }) =>
            principals.flatMap((principal) =>
              (to ?? []).map(({ ports, methods, paths }) => {
                const what = methods === undefined ? 'the whole port' : `${methods.join()} ${paths?.join()}`;
                const only = condition ?? (token === undefined ? '' : 'a token of its own');
                return `${principal.split('/').at(-1)} → ${callee}:${ports?.join()} ${what} ${only}`.trimEnd();
              }),
            ),
          ),
      ),
    );
    expect(allowed.sort()).toEqual(callsOf(await readFile(join(directory, 'README.md'), 'utf8')).sort());
  });
});

/** The rows of the table, one line per caller and operation. */
function callsOf(readme: string): string[] {
  let callee = '';
  return readme
    .split('\n')
    .filter((line) => /^\| .* \|$/.test(line) && !line.startsWith('| to'))
    .flatMap((line) => {
      const [to = '', from = '', what = '', only = ''] = line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim());
      const [, name, port] = /\*\*(\S+)\*\* :(\d+)/.exec(to) ?? [];
      if (to === 'all but monitoring') {
        return services
          .filter((service) => service !== from)
          .map(
            (service) =>
              `${from} → ${service}:${8000 + services.indexOf(service)} ${what.replaceAll('`', '')}`,
          );
      }
      if (name !== undefined) callee = `${name}:${port}`;
      return from
        .split(', ')
        .filter((caller) => services.includes(caller))
        .flatMap((caller) =>
          what
            .split(', ')
            .map((each) => `${caller} → ${callee} ${each} ${only}`.replaceAll('`', '').trimEnd()),
        );
    });
}
