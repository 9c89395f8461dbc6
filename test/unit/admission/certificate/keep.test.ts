// Replicas keep a certificate through everything that may happen to clocks, Secrets and webhook configurations, and whatever they serve is
// vouched for by what API servers trust.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { fuzzRuns } from '../../../support/fuzz.ts';
import { until } from '../../../support/until.ts';
import { certificatesOf, isAccepted, minute, names, type Replica, World } from './support.ts';

/** What each API server knew this long ago. */
class Witness {
  readonly #world: World;
  readonly #history: string[][] = [];
  readonly #lagMinutes: number;

  constructor(world: World, lagMinutes: number) {
    this.#world = world;
    this.#lagMinutes = lagMinutes;
  }

  /** Every minute from the first certificate on: does every API server, with old news too, accept every replica? */
  readonly look = (): void => {
    const { cluster, replicas } = this.#world;
    this.#history.push(cluster.bundles());
    const recent = this.#history.slice(-1 - this.#lagMinutes);
    for (const { leaf } of replicas.filter(({ isRunning }) => isRunning)) {
      for (const bundle of recent.flat()) {
        expect(isAccepted(leaf, bundle, this.#world.now())).toBe(true);
      }
    }
  };
}

async function leaderAndFollower(lagMinutes = 3): Promise<{
  readonly world: World;
  readonly leader: Replica;
  readonly follower: Replica;
  readonly witness: Witness;
}> {
  const world = new World();
  const leader = await world.add();
  const follower = await world.add({ leads: false });
  return { world, leader, follower, witness: new Witness(world, lagMinutes) };
}

test('the first start: one makes it, both serve it, both configurations trust it', async () => {
  const { world, leader, follower } = await leaderAndFollower();
  expect(leader.steps).toEqual(['created']);
  expect(leader.said).toEqual([
    'trusted validatingwebhookconfigurations',
    'trusted mutatingwebhookconfigurations',
  ]);
  expect(leader.source?.current()).toEqual(follower.source?.current());
  for (const bundle of world.cluster.bundles()) {
    expect(certificatesOf(bundle)).toHaveLength(1);
    expect(isAccepted(leader.leaf, bundle, world.now())).toBe(true);
  }
  expect(leader.leaf.subjectAltName).toBe(names.map((name) => `DNS:${name}`).join(', '));
  expect(leader.leaf.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  // What was in the Secret's metadata stays.
  expect(world.cluster.secret?.metadata.labels).toEqual({ app: 'trellis' });
  expect([...leader.expiries.keys()].sort()).toEqual(['ca', 'leaf']);
  expect(leader.expiries.get('leaf')).toEqual(leader.leaf.validToDate);
});

test('a follower writes nothing, and has nothing to serve before somebody leads', async () => {
  const world = new World();
  const follower = await world.add({ leads: false });
  await world.pass(5);
  expect(world.cluster.writes).toEqual([]);
  expect(follower.source).toBeUndefined();
  follower.leads = true;
  await world.pass(1);
  expect(follower.leaf.ca).toBe(false);
});

test('three years without anybody’s help', async () => {
  const { world, leader, witness } = await leaderAndFollower();
  await world.pass(300, witness.look);
  const count = (step: string): number => leader.steps.filter((each) => each === step).length;
  // A CA lives for 100 minutes and is exchanged at 60 to 67.
  expect(count('ca-activated')).toBeGreaterThanOrEqual(3);
  expect(count('ca-prepared')).toBe(count('ca-activated'));
  expect(count('ca-retired')).toBe(count('ca-activated'));
  // A leaf lives for 20, and is renewed at 12 to 14.
  expect(count('leaf-renewed')).toBeGreaterThan(15);
  expect(count('leaf-renewed')).toBeLessThan(30);
  expect(leader.said.filter((word) => !word.startsWith('trusted'))).toEqual([]);
  // And nobody writes for nothing.
  expect(world.cluster.writes.filter((write) => write.startsWith('PUT'))).toHaveLength(leader.steps.length);
});

test('a CA is trusted before it signs, and after it signed, for as long as promised', async () => {
  const { world, leader } = await leaderAndFollower();
  const at = new Map<string, number>();
  for (let i = 0; !at.has('ca-retired') && i < 100; i++) {
    await world.pass(1);
    for (const step of leader.steps) if (!at.has(step)) at.set(step, i);
    if (at.has('ca-prepared') && !at.has('ca-retired')) {
      for (const bundle of world.cluster.bundles()) expect(certificatesOf(bundle)).toHaveLength(2);
    }
  }
  const [prepared = 0, activated = 0, retired = 0] = ['ca-prepared', 'ca-activated', 'ca-retired'].map(
    (step) => at.get(step),
  );
  expect(activated - prepared).toBeGreaterThanOrEqual(5);
  expect(retired - activated).toBeGreaterThanOrEqual(10);
  for (const bundle of world.cluster.bundles()) expect(certificatesOf(bundle)).toHaveLength(1);
  // The key of a CA that signs no more is gone.
  expect(Object.keys(world.cluster.data).sort()).toEqual([
    ...['ca.crt', 'ca.key', 'tls.crt', 'tls.key', 'trellis-generation'],
  ]);
});

type Mishap = (world: World, leader: Replica, follower: Replica) => void;
const older: { data: Readonly<Record<string, string | undefined>> } = { data: {} };
const mishaps: Readonly<Record<string, Mishap>> = {
  nothing: () => {},
  empty: ({ cluster }) => cluster.setData({}),
  delete: ({ cluster }) => {
    cluster.secret = undefined;
  },
  'lose a key': ({ cluster }) => cluster.setData({ ...cluster.data, 'ca.key': undefined }),
  'swap keys': ({ cluster }) => cluster.setData({ ...cluster.data, 'tls.key': cluster.data['ca.key'] }),
  'cut off': ({ cluster }) =>
    cluster.setData({ ...cluster.data, 'tls.crt': cluster.data['tls.crt']?.slice(0, 99) }),
  'damage the next': ({ cluster }) => cluster.setData({ ...cluster.data, 'next-ca.crt': 'AAAA' }),
  'damage the one before': ({ cluster }) =>
    cluster.setData({ ...cluster.data, 'previous-ca.crt': undefined }),
  'lose the mark': ({ cluster }) => cluster.setData({ ...cluster.data, 'trellis-generation': undefined }),
  remember: ({ cluster }) => {
    older.data = cluster.data;
  },
  'restore what was': ({ cluster }) => cluster.setData(older.data),
  'change leader': (_world, leader, follower) => {
    [leader.leads, follower.leads] = [follower.leads, leader.leads];
  },
  'two leaders': (_world, leader, follower) => {
    leader.leads = true;
    follower.leads = true;
  },
};

test('whatever happens to the Secret and to who leads: all that is served is trusted, with old news too', async () => {
  const happening = fc.record({
    what: fc.constantFrom(...Object.keys(mishaps)),
    minutes: fc.integer({ min: 1, max: 25 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 8 }), async (happenings) => {
      const { world, leader, follower, witness } = await leaderAndFollower();
      older.data = world.cluster.data;
      for (const { what, minutes } of happenings) {
        mishaps[what]?.(world, leader, follower);
        await world.pass(minutes, witness.look);
      }
      // And it goes on.
      leader.leads = true;
      follower.leads = false;
      await world.pass(80, witness.look);
      expect(leader.source?.current()).toEqual(follower.source?.current());
      await Promise.all([leader.stop(), follower.stop()]);
    }),
    { numRuns: fuzzRuns(4) },
  );
});

describe('the Secret', () => {
  test('emptied: what was served is served on, and another CA comes without interruption', async () => {
    const { world, leader, witness } = await leaderAndFollower();
    const [before] = world.cluster.bundles();
    await world.pass(2, witness.look);
    const served = leader.source?.current();
    world.cluster.setData({});
    await world.pass(1, witness.look);
    expect(leader.source?.current()).toEqual(served);
    expect(leader.steps).toEqual(['created', 'restored', 'ca-prepared']);
    await world.pass(20, witness.look);
    const [after] = world.cluster.bundles();
    expect(certificatesOf(after ?? '')).toHaveLength(1);
    expect(after).not.toBe(before);
  });

  test('emptied while nobody was there: what may still be served elsewhere stays trusted', async () => {
    const { world, leader, follower } = await leaderAndFollower();
    await leader.stop();
    world.cluster.setData({});
    const successor = await world.add();
    expect(successor.steps).toEqual(['created']);
    for (const bundle of world.cluster.bundles()) {
      expect(certificatesOf(bundle)).toHaveLength(2);
      expect(isAccepted(follower.leaf, bundle, world.now())).toBe(true);
      expect(isAccepted(successor.leaf, bundle, world.now())).toBe(true);
    }
  });

  test('of somebody else’s: kept, and said', async () => {
    const world = new World();
    const own = { 'tls.crt': 'b3du', 'tls.key': 'b3du' };
    world.cluster.setData(own);
    const leader = await world.add();
    await world.pass(3);
    expect(world.cluster.data).toEqual(own);
    expect(world.cluster.writes).toEqual([]);
    // Once.
    expect(leader.said).toEqual(['ERR_SERVING_CERTIFICATE_FOREIGN']);
    expect(leader.source).toBeUndefined();
    world.cluster.setData({ other: 'b3du' });
    await world.pass(1);
    expect(leader.said).toContain('recovered');
    expect(leader.leaf.ca).toBe(false);
    expect(world.cluster.data['other']).toBe('b3du');
  });

  test('deleted: made again, or asked for where that may not be', async () => {
    const { world, leader, follower, witness } = await leaderAndFollower();
    world.cluster.secret = undefined;
    await world.pass(1, witness.look);
    expect(leader.steps).toContain('restored');
    world.cluster.secret = undefined;
    world.cluster.mayCreate = false;
    await world.pass(2, witness.look);
    expect(leader.said.filter((word) => word.startsWith('ERR'))).toEqual([
      'ERR_SERVING_CERTIFICATE_NO_SECRET',
    ]);
    expect(follower.said).toEqual([]);
    world.cluster.setData({});
    await world.pass(1, witness.look);
    expect(Object.keys(world.cluster.data)).toContain('tls.crt');
  });
});

describe('webhook configurations', () => {
  test('overwritten: mended, and the wait for a new CA begins anew', async () => {
    const { world, leader } = await leaderAndFollower();
    world.cluster.setData({});
    await world.pass(4);
    expect(leader.steps.at(-1)).toBe('ca-prepared');
    const [both = ''] = world.cluster.bundles();
    world.cluster.setBundles('');
    await world.pass(1);
    expect(world.cluster.bundles()).toEqual([both, both]);
    await world.pass(4);
    expect(leader.steps.at(-1)).toBe('ca-prepared');
    await world.pass(2);
    expect(leader.steps).toContain('ca-activated');
  });

  test('one of them is not there, or both', async () => {
    const world = new World();
    world.cluster.removeConfiguration('mutating');
    const leader = await world.add();
    expect(leader.said).toEqual(['trusted validatingwebhookconfigurations']);
    world.cluster.removeConfiguration('validating');
    await world.pass(30);
    expect(leader.said).toEqual(['trusted validatingwebhookconfigurations']);
  });

  test('a leader that was succeeded in the middle of its round brings no old bundle back', async () => {
    const { world, leader, follower, witness } = await leaderAndFollower();
    const [old = ''] = world.cluster.bundles();
    world.cluster.setBundles('');
    // Before it mends the first of them, another one leads, and prepares another CA.
    const { promise, resolve } = Promise.withResolvers<void>();
    let held = false;
    world.cluster.before = ({ method }) => {
      if (method !== 'PATCH' || held) return undefined;
      held = true;
      return promise;
    };
    const passing = world.pass(1);
    await until('the leader to be held up', () => held);
    const theirs = `${old}${old}`;
    world.cluster.setBundles(theirs);
    follower.leads = true;
    resolve();
    await passing;
    leader.leads = false;
    expect(world.cluster.writes.filter((write) => write.startsWith('PATCH'))).toHaveLength(2 + 1 + 2);
    expect(leader.said.filter((word) => word.startsWith('trusted'))).toHaveLength(2);
    await world.pass(1, witness.look);
    expect(world.cluster.bundles()).toEqual([old, old]);
  });
});

describe('who leads', () => {
  /** A new CA is prepared, and has been waiting for three of five minutes. */
  async function waiting(): Promise<Awaited<ReturnType<typeof leaderAndFollower>>> {
    const all = await leaderAndFollower();
    all.world.cluster.setData({});
    await all.world.pass(4);
    expect(all.leader.steps.at(-1)).toBe('ca-prepared');
    return all;
  }

  test('whoever leads again waits again: what happened meanwhile is unknown', async () => {
    const { world, leader, witness } = await waiting();
    leader.leads = false;
    const [both = ''] = world.cluster.bundles();
    world.cluster.setBundles('');
    await world.pass(3);
    world.cluster.setBundles(both);
    leader.leads = true;
    await world.pass(4, witness.look);
    expect(leader.steps.at(-1)).toBe('ca-prepared');
    await world.pass(2, witness.look);
    expect(leader.steps).toContain('ca-activated');
  });

  test('a state that another leader stored has its own time to wait', async () => {
    const { world, leader, follower, witness } = await leaderAndFollower();
    // Long settled.
    await world.pass(9, witness.look);
    follower.leads = true;
    follower.offsetMs = 80 * minute;
    await world.pass(1, witness.look);
    follower.leads = false;
    expect(follower.steps).toContain('ca-prepared');
    await world.pass(4, witness.look);
    expect(leader.steps).not.toContain('ca-activated');
    await world.pass(4, witness.look);
    expect(leader.steps).toContain('ca-activated');
  });

  test.each([
    ['before it stores', 'GET', []],
    ['before it publishes', 'PUT', ['PUT trellis-webhook-certificate']],
  ])('one that leads no more %s does not write', async (_when, last, writes) => {
    const world = new World();
    const replica = await world.add({ leads: false });
    world.cluster.before = ({ method = 'GET', path }) => {
      if (method === last && path.includes('secrets')) replica.leads = false;
    };
    replica.leads = true;
    await world.pass(1);
    expect(world.cluster.writes).toEqual(writes);
  });
});

test('what does not fit together is not served by those who find it', async () => {
  const { world, follower, leader } = await leaderAndFollower();
  const other = new World();
  await other.add();
  const served = follower.source?.current();
  leader.leads = false;
  const { 'tls.crt': certificate, 'tls.key': key } = other.cluster.data;
  world.cluster.setData({ ...world.cluster.data, 'tls.crt': certificate, 'tls.key': key });
  await world.pass(2);
  expect(follower.source?.current()).toEqual(served);
});

describe('clocks', () => {
  const year = 100 * minute;

  // News are quick here: when a CA has ended, nobody waits for the slowest.
  test.each([
    ['more than everything lives', 3 * year],
    ['most of it', 0.9 * year],
    ['more than a leaf lives', 25 * minute],
  ])(
    'the leader’s goes ahead by %s, and is set right in the end: API servers accept what is served',
    async (_what, offsetMs) => {
      const { world, leader, witness } = await leaderAndFollower(0);
      await world.pass(10, witness.look);
      leader.offsetMs = offsetMs;
      await world.pass(60, witness.look);
      leader.offsetMs = 0;
      await world.pass(130, witness.look);
    },
  );

  test.each([
    ['more than everything lives', -3 * year],
    ['most of it', -0.9 * year],
    ['more than a leaf lives', -25 * minute],
  ])(
    'the leader’s is set back by %s, and set right before the leaf of then ends',
    async (_what, offsetMs) => {
      const { world, leader, witness } = await leaderAndFollower(0);
      await world.pass(10, witness.look);
      leader.offsetMs = offsetMs;
      await world.pass(9, witness.look);
      leader.offsetMs = 0;
      await world.pass(130, witness.look);
    },
  );

  test('the leader’s is set back for longer: it goes on when that is set right', async () => {
    const { world, leader, follower } = await leaderAndFollower();
    leader.offsetMs = -3 * year;
    await world.pass(120);
    leader.offsetMs = 0;
    await world.pass(4);
    for (const bundle of world.cluster.bundles())
      expect(isAccepted(follower.leaf, bundle, world.now())).toBe(true);
  });

  test('everything has ended while nobody was there', async () => {
    const { world, leader, follower } = await leaderAndFollower();
    await leader.stop();
    await follower.stop();
    await world.pass(300);
    const successor = await world.add();
    await world.pass(2);
    expect(successor.steps).toEqual(['ca-prepared', 'ca-activated']);
    for (const bundle of world.cluster.bundles()) {
      expect(isAccepted(successor.leaf, bundle, world.now())).toBe(true);
    }
  });
});

test('while the API server is away, what there was is served on; said once', async () => {
  const { world, leader, follower, witness } = await leaderAndFollower();
  const served = follower.source?.current();
  world.cluster.before = () => {
    throw new KubernetesError('ERR_KUBE_UNREACHABLE', 'away');
  };
  await world.pass(5, witness.look);
  expect(follower.source?.current()).toEqual(served);
  expect(follower.said).toEqual(['ERR_KUBE_UNREACHABLE']);
  world.cluster.before = () => {};
  await world.pass(1, witness.look);
  expect([leader.said.at(-1), follower.said.at(-1)]).toEqual(['recovered', 'recovered']);
});

test('it ends with its signal', async () => {
  const world = new World();
  const follower = await world.add({ leads: false });
  await follower.stop();
  expect(follower.source).toBeUndefined();
});
