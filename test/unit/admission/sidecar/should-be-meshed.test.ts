import { expect, test } from 'vitest';
import { shouldBeMeshed } from '../../../../src/admission/sidecar/should-be-meshed.ts';
import type { Policy } from '../../../../src/model/mesh.ts';
import { policy } from './support.ts';

type Spec = Policy['spec'];
const labels = { app: 'orders' };

function should(...specs: readonly Spec[]): boolean {
  return shouldBeMeshed(
    specs.map((spec, index) => policy(spec, 'trading', `p${index}`)),
    labels,
  );
}

test('where a policy says required or preferred', () => {
  expect(should({ postQuantumEncryption: 'required' })).toBe(true);
  expect(should({ postQuantumEncryption: 'preferred' })).toBe(true);
});

test('not where none speaks of it, although the mesh itself promises encryption', () => {
  expect(should()).toBe(false);
  expect(should({ quantumAuthentication: 'enabled' })).toBe(false);
});

test('not where all that speak say disabled', () => {
  expect(should({ postQuantumEncryption: 'disabled' })).toBe(false);
  expect(should({ postQuantumEncryption: 'disabled' }, { postQuantumEncryption: 'preferred' })).toBe(true);
});

test('not by a policy that only warns or audits', () => {
  expect(should({ enforcement: 'warn', postQuantumEncryption: 'required' })).toBe(false);
  expect(should({ enforcement: 'audit', postQuantumEncryption: 'required' })).toBe(false);
});

test('only where the selector matches', () => {
  const spec = (app: string): Spec => ({
    selector: { matchLabels: { app } },
    postQuantumEncryption: 'preferred',
  });
  expect(should(spec('orders'))).toBe(true);
  expect(should(spec('other'))).toBe(false);
});
