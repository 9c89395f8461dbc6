import { expect, test } from 'vitest';
import { applyPatch } from '../../../../src/admission/mutate/apply-patch.ts';

const pod = { spec: { containers: [{ image: 'a' }, { image: 'b' }] } };

test('add sets a member, and puts an element before the one of its index', () => {
  const patched = applyPatch(pod, [
    { op: 'test', path: '/spec/containers/1/image', value: 'b' },
    { op: 'add', path: '/spec/containers/1/image', value: 'c' },
    { op: 'add', path: '/spec/containers/0', value: { image: 'first' } },
    { op: 'add', path: '/spec/containers/-', value: { image: 'last' } },
    { op: 'add', path: '/metadata', value: { annotations: {} } },
    { op: 'add', path: '/metadata/annotations/a~1b~0c', value: 'd' },
  ]);
  expect(patched).toEqual({
    spec: { containers: [{ image: 'first' }, { image: 'a' }, { image: 'c' }, { image: 'last' }] },
    metadata: { annotations: { 'a/b~c': 'd' } },
  });
  expect(pod.spec.containers).toHaveLength(2);
});

test.each([
  ['a test that fails', { op: 'test', path: '/spec/containers/0/image', value: 'b' }],
  ['no such place', { op: 'add', path: '/spec/volumes/-', value: {} }],
  ['an index beyond the end', { op: 'add', path: '/spec/containers/3', value: {} }],
  ['an index that is none', { op: 'add', path: '/spec/containers/01', value: {} }],
  ['the whole object', { op: 'add', path: '', value: {} }],
] as const)('with %s all of it is void', (_, operation) => {
  const patch = [{ op: 'add', path: '/kind', value: 'Pod' }, operation] as const;
  expect(applyPatch(pod, patch)).toBeUndefined();
});

test('a member called __proto__ is one', () => {
  const patched = applyPatch({}, [{ op: 'add', path: '/__proto__', value: { evil: true } }]);
  expect(Object.keys(patched ?? {})).toEqual(['__proto__']);
  expect(patched).not.toHaveProperty('evil');
});
