import { describe, expect, test } from 'vitest';
import { findCalled, findCaller } from '../../../../src/cli/explain/find.ts';
import type { NamespacedName } from '../../../../src/model/mesh.ts';
import { mesh } from '../../explain/support.ts';

const state = mesh();

describe('findCaller', () => {
  test.each<[NamespacedName, string]>([
    ['shop/clinet', 'did you mean shop/client?'],
    ['shpo/client', 'did you mean shop/client?'],
    ['other/legacy', 'did you mean shop/legacy?'],
    ['shop/xyz', 'there is: shop/client, shop/legacy, shop/lonely, shop/server-1, shop/server-2'],
  ])('%s: %s', (name, hint) => {
    expect(() => findCaller(state, name)).toThrow(expect.objectContaining({ code: 'ERR_USAGE', hint }));
  });

  test('a Service calls nobody', () => {
    expect(() => findCaller(state, 'shop/server')).toThrow(
      expect.objectContaining({ hint: 'its pods: shop/server-1, shop/server-2' }),
    );
  });

  test('an empty mesh has no suggestion', () => {
    const empty = { ...state, workloads: new Map(), services: new Map() };
    expect(() => findCaller(empty, 'shop/a')).toThrow(
      expect.objectContaining({ hint: 'there is none at all' }),
    );
  });

  test('a long list is cut', () => {
    const [pod] = state.workloads.values();
    const names = Array.from({ length: 20 }, (_, index) => `shop/long-name-${index}` as NamespacedName);
    const many = {
      ...state,
      workloads: new Map(names.flatMap((name) => (pod === undefined ? [] : [[name, pod]]))),
    };
    expect(() => findCaller(many, 'shop/q')).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/and 8 more$/) }),
    );
  });
});

describe('findCalled', () => {
  const find = (kind: 'service' | 'pod' | undefined, name: NamespacedName, port?: number) =>
    findCalled(state, { kind, name }, port);

  test('a Service goes before a pod of the same name', () => {
    expect(find(undefined, 'shop/legacy', 80)).toMatchObject({ kind: 'service' });
    expect(find('pod', 'shop/legacy', 8080)).toMatchObject({ kind: 'pod' });
    expect(find(undefined, 'shop/client', 8080)).toMatchObject({ kind: 'pod' });
    expect(() => find('service', 'shop/client', 80)).toThrow('there is no Service shop/client');
    expect(() => find('pod', 'shop/server', 80)).toThrow('there is no pod shop/server');
  });

  test('the port is asked for where there are several, and must exist', () => {
    expect(() => find(undefined, 'shop/server')).toThrow('several ports: 80, 9000');
    expect(() => find(undefined, 'shop/server', 8080)).toThrow(
      expect.objectContaining({ message: 'Service shop/server has no port 8080', hint: 'it has: 80, 9000' }),
    );
    const [service] = state.services.values();
    const [port] = service?.ports ?? [];
    if (service === undefined || port === undefined) throw new Error('no Service');
    const withPorts = (ports: readonly (typeof port)[]) => ({
      ...state,
      services: new Map([['shop/one' as const, { ...service, ports }]]),
    });
    expect(findCalled(withPorts([port]), { kind: undefined, name: 'shop/one' }, undefined).port).toBe(port);
    expect(() => findCalled(withPorts([]), { kind: undefined, name: 'shop/one' }, undefined)).toThrow(
      'no TCP port',
    );
  });

  test('names both kinds in what it suggests', () => {
    expect(() => find(undefined, 'shop/servre', 80)).toThrow(
      expect.objectContaining({ hint: 'did you mean shop/server?' }),
    );
  });
});
