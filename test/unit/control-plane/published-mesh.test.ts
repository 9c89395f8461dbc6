import { describe, expect, test } from 'vitest';
import { PublishedMesh, type Snapshots } from '../../../src/control-plane/published-mesh.ts';
import type { MeshState } from '../../../src/model/mesh.ts';
import { createReadiness } from '../../../src/telemetry/readiness.ts';
import { emptyLayer } from '../../../src/xds/layer.ts';
import { testLog } from '../../support/control-plane.ts';

const state = (rootNamespace: string): MeshState => ({
  trustDomain: 'cluster.local',
  rootNamespace,
  workloads: new Map(),
  services: new Map(),
  policies: new Map(),
  quantumServices: new Map(),
});

/** Snapshots that cannot be made of some states, and fail when half of their proxies have theirs. */
function published(isBad: (state: MeshState) => boolean) {
  const inForce: MeshState[] = [];
  const snapshots: Snapshots = {
    update(next) {
      inForce.push(next);
      if (isBad(next)) throw new Error('no translation');
    },
    source: () => ({ current: () => ({ shared: emptyLayer, own: emptyLayer }), onChange: () => () => {} }),
  };
  const readiness = createReadiness(['state', 'ca']);
  readiness.ready('state');
  const log = testLog();
  const empty = state('empty');
  const mesh = new PublishedMesh({ snapshots, empty, readiness, log: log.logger });
  return { mesh, inForce, readiness, log, empty };
}

describe('a state that cannot be translated', () => {
  const [good, bad] = [state('good'), state('bad')];

  test('leaves the last one in force, at every proxy, and says so', () => {
    const { mesh, inForce, readiness, log } = published((next) => next === bad);
    mesh.publish(good);
    mesh.publish(bad);
    expect(mesh.current()).toBe(good);
    expect(inForce.at(-1)).toBe(good);
    expect(readiness.conditions()[0]).toMatchObject({
      name: 'state',
      ready: false,
      reason: expect.stringContaining('no translation'),
    });
    expect(log.lines().filter(({ level }) => level === 50)).toHaveLength(1);
  });

  test('as the first one leaves the mesh without a state: nobody is configured by it', () => {
    const { mesh, inForce, empty } = published((next) => next === bad);
    mesh.publish(bad);
    expect(mesh.current()).toBeUndefined();
    expect(inForce.at(-1)).toBe(empty);
  });

  test('does not end the control plane even when nothing can be put in force any more', () => {
    const { mesh, readiness } = published(() => true);
    mesh.publish(good);
    expect(mesh.current()).toBeUndefined();
    expect(readiness.conditions()[0]).toMatchObject({ ready: false });
  });
});

test('a state is known as the one in force while proxies are told of it', () => {
  const seen: unknown[] = [];
  const { mesh } = published((next) => {
    seen.push(mesh.current() === next);
    return false;
  });
  mesh.publish(state('good'));
  expect(seen).toEqual([true]);
});
