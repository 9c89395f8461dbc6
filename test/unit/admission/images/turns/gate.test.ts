import { expect, test } from 'vitest';
import { createGate, type GateLimits, type Turn } from '../../../../../src/admission/images/turns/gate.ts';

const { signal: forEver } = new AbortController();
const turn = () => new Promise((resolve) => setImmediate(resolve));

interface Wanted {
  readonly registry?: string;
  readonly tenant?: string;
  readonly request?: string;
  readonly signal?: AbortSignal;
}

/** A gate with much room, and tasks that end when they are told to. */
function gateWith(limits: Partial<GateLimits>) {
  const much = 1_000;
  const gate = createGate({
    ...{ maxParallelLooks: much, maxLooksPerRegistry: much, maxLooksPerTenant: much },
    ...{ maxLooksPerTenantAndRegistry: much, maxLooksPerRequest: much },
    ...limits,
  });
  const started: string[] = [];
  const ends = new Map<string, () => void>();

  function waiting(name: string, { registry = 'r', signal = forEver }: Wanted = {}): Turn<string> {
    const task = async () => {
      started.push(name);
      const end = Promise.withResolvers<void>();
      ends.set(name, end.resolve);
      await end.promise;
      return name;
    };
    return gate.turn(registry, task, signal);
  }
  const askedFor = (name: string, wanted: Wanted = {}): Turn<string> => {
    const made = waiting(name, wanted);
    made.ask({ tenant: wanted.tenant ?? 't', request: wanted.request ?? name });
    return made;
  };
  const end = async (...names: readonly string[]) => {
    for (const name of names) ends.get(name)?.();
    await turn();
  };
  return { started, waiting, askedFor, end };
}

test('so many at the same time, of all registries and tenants together', async () => {
  const { started, askedFor, end } = gateWith({ maxParallelLooks: 3 });
  const names = ['a', 'b', 'c', 'd', 'e'];
  const all = names.map((name) => askedFor(name, { registry: name, tenant: name }));
  expect(started).toEqual(['a', 'b', 'c']);
  await end('b');
  expect(started).toEqual(['a', 'b', 'c', 'd']);
  await end('a', 'c', 'd');
  await end('e');
  expect(await Promise.all(all.map(({ outcome }) => outcome))).toEqual(names);
});

test('one registry that hangs leaves room for the others', () => {
  const { started, askedFor } = gateWith({ maxParallelLooks: 3, maxLooksPerRegistry: 2 });
  for (const name of ['h1', 'h2', 'h3', 'h4']) askedFor(name, { registry: 'hanging', tenant: name });
  askedFor('good');
  expect(started).toEqual(['h1', 'h2', 'good']);
});

test('one tenant has no more than its part, whatever registries it names and however much is free', async () => {
  const { started, askedFor, end } = gateWith({ maxParallelLooks: 4, maxLooksPerTenant: 2 });
  for (const name of ['a1', 'a2', 'a3']) askedFor(name, { registry: name, tenant: 'a' });
  expect(started).toEqual(['a1', 'a2']);
  askedFor('b1', { tenant: 'b' });
  expect(started).toEqual(['a1', 'a2', 'b1']);
  await end('a1');
  expect(started).toEqual(['a1', 'a2', 'b1', 'a3']);
});

test('a registry that hangs leaves the images of others to its tenant', () => {
  const { started, askedFor } = gateWith({ maxLooksPerTenant: 3, maxLooksPerTenantAndRegistry: 2 });
  for (const name of ['h1', 'h2', 'h3']) askedFor(name, { registry: 'hanging' });
  askedFor('good', { registry: 'good' });
  askedFor('elsewhere', { registry: 'hanging', tenant: 'another' });
  expect(started).toEqual(['h1', 'h2', 'good', 'elsewhere']);
});

test('one request leaves room for the others of its tenant, and is no other than its tenant’s', () => {
  const { started, askedFor } = gateWith({ maxLooksPerRequest: 2 });
  for (const name of ['a', 'b', 'c']) askedFor(name, { request: 'large' });
  askedFor('d', { request: 'small' });
  askedFor('e', { request: 'large', tenant: 'another' });
  expect(started).toEqual(['a', 'b', 'd', 'e']);
});

test('tenants take turns, however many one of them waits for', async () => {
  const { started, askedFor, end } = gateWith({ maxParallelLooks: 1 });
  askedFor('a1', { tenant: 'a' });
  for (const name of ['a2', 'a3', 'a4', 'a5']) askedFor(name, { tenant: 'a' });
  for (const name of ['b1', 'b2']) askedFor(name, { tenant: 'b' });
  askedFor('c1', { tenant: 'c' });
  for (let count = 0; count < 8; count += 1) await end(started.at(-1) ?? '');
  expect(started).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4', 'a5']);
});

test('so do the requests of one tenant, and the registries of one request', async () => {
  const { started, askedFor, end } = gateWith({ maxParallelLooks: 1 });
  askedFor('first');
  for (const name of ['a1', 'a2', 'a3']) askedFor(name, { request: 'a', registry: 'x' });
  askedFor('a4', { request: 'a', registry: 'y' });
  for (const name of ['b1', 'b2']) askedFor(name, { request: 'b' });
  for (let count = 0; count < 7; count += 1) await end(started.at(-1) ?? '');
  expect(started).toEqual(['first', 'a1', 'b1', 'a4', 'b2', 'a2', 'a3']);
});

test('what several wait for begins with whoever comes first to a slot, and takes up that one’s alone', async () => {
  const { started, waiting, askedFor, end } = gateWith({ maxLooksPerTenant: 1 });
  askedFor('a1', { tenant: 'a' });
  const shared = waiting('shared');
  shared.ask({ tenant: 'a', request: 'a2' });
  expect(started).toEqual(['a1']);
  shared.ask({ tenant: 'b', request: 'b1' });
  expect(started).toEqual(['a1', 'shared']);
  // It is b's now.
  await end('a1');
  askedFor('a3', { tenant: 'a' });
  askedFor('b2', { tenant: 'b' });
  expect(started).toEqual(['a1', 'shared', 'a3']);
  await end('shared');
  expect(started).toEqual(['a1', 'shared', 'a3', 'b2']);
  expect(await shared.outcome).toBe('shared');
  // Nothing is left to wait for.
  shared.ask({ tenant: 'c', request: 'c1' })();
  expect(started).toHaveLength(4);
});

test('who has left is not who it begins for', async () => {
  const { started, waiting, askedFor, end } = gateWith({ maxLooksPerTenant: 1 });
  askedFor('a1', { tenant: 'a' });
  askedFor('b1', { tenant: 'b' });
  const shared = waiting('shared');
  const leave = shared.ask({ tenant: 'a', request: 'a2' });
  shared.ask({ tenant: 'b', request: 'b2' });
  leave();
  await end('a1');
  expect(started).toEqual(['a1', 'b1']);
  await end('b1');
  expect(started).toEqual(['a1', 'b1', 'shared']);
});

test('what nobody waits for any more is passed over', async () => {
  const { started, askedFor, end } = gateWith({ maxParallelLooks: 1 });
  askedFor('first');
  const hasty = new AbortController();
  const second = askedFor('second', { signal: hasty.signal });
  askedFor('third');
  hasty.abort(new Error('over'));
  await expect(second.outcome).rejects.toThrow('over');
  await end('first');
  expect(started).toEqual(['first', 'third']);
  const late = askedFor('late', { signal: hasty.signal });
  await expect(late.outcome).rejects.toThrow('over');
  await end('third');
  expect(started).toEqual(['first', 'third']);
});

test('a task that fails gives its slot back', async () => {
  const gate = createGate({
    ...{ maxParallelLooks: 1, maxLooksPerRegistry: 1, maxLooksPerTenant: 1 },
    ...{ maxLooksPerTenantAndRegistry: 1, maxLooksPerRequest: 1 },
  });
  const failing = gate.turn('r', () => Promise.reject(new Error('away')), forEver);
  failing.ask({ tenant: 't', request: 'r' });
  const next = gate.turn('r', async () => 'next', forEver);
  next.ask({ tenant: 't', request: 'r' });
  await expect(failing.outcome).rejects.toThrow('away');
  expect(await next.outcome).toBe('next');
});
