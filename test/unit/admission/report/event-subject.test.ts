import { expect, test } from 'vitest';
import { eventSubject } from '../../../../src/admission/report/event-subject.ts';
import { controller, podRequest } from './support.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'trading', name: 'orders-7d9-x', uid: 'uid-of-pod' };
const { controller: _, ...replicaSet } = { ...controller, namespace: 'trading' };

function ownedBy(...ownerReferences: readonly unknown[]) {
  const { object } = podRequest();
  return podRequest({ object: { metadata: { ...(object['metadata'] as object), ownerReferences } } });
}

test.each([true, false])(
  'a pod that a controller makes is told of at the controller (allowed: %s)',
  (allowed) => {
    expect(eventSubject(podRequest(), allowed)).toEqual(replicaSet);
  },
);

test('an owner that is no controller is passed over', () => {
  expect(eventSubject(ownedBy({ ...controller, controller: false }), true)).toEqual(pod);
});

test('a pod of nobody is told of at itself once it exists, and not at all when it never will', () => {
  expect(eventSubject(ownedBy(), true)).toEqual(pod);
  expect(eventSubject(ownedBy(), false)).toBeUndefined();
});

test('what is updated exists, and its identity is that of the old object', () => {
  const { object } = podRequest();
  const forged = { metadata: { name: 'other', uid: 'other', namespace: 'kube-system' } };
  const request = podRequest({ operation: 'UPDATE', object: forged, oldObject: object });
  expect(eventSubject(request, false)).toEqual(pod);
});

test('a template is told of under its own group and version', () => {
  const metadata = { name: 'orders', namespace: 'trading', uid: 'uid-of-deployment' };
  const request = podRequest({
    operation: 'UPDATE',
    kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    object: { metadata },
    oldObject: { metadata },
  });
  expect(eventSubject(request, true)).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', ...metadata });
});

test('an owner is looked for in the namespace of the pod alone, whatever it says', () => {
  expect(eventSubject(ownedBy({ ...controller, namespace: 'kube-system' }), false)).toEqual(replicaSet);
});

test('a static pod, which its node owns, writes nothing about the node', () => {
  const node = { ...controller, apiVersion: 'v1', kind: 'Node', name: 'n1' };
  expect(eventSubject(ownedBy(node), false)).toBeUndefined();
  expect(eventSubject(ownedBy(node), true)).toEqual(pod);
});

test.each([
  ['names nothing', {}],
  ['is no object', 7],
  ['has an endless name', { ...controller, name: 'a'.repeat(254) }],
  ['has no uid', { ...controller, uid: '' }],
])('an owner that %s is none', (_what, owner) => {
  expect(eventSubject(ownedBy({ controller: true, ...(owner as object) }), false)).toBeUndefined();
});

test('an object without metadata has nobody to tell of', () => {
  expect(eventSubject(podRequest({ object: {} }), true)).toBeUndefined();
});
