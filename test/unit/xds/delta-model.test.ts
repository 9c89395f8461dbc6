// The protocol against a model: whatever happens, in whatever order, in the end the client has what the source has.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EncodedResource, type Snapshot, type TypeUrl, typeUrls } from '../../../src/xds/resources.ts';
import { lookup, viewOf } from '../../../src/xds/view.ts';
import { makers, snapshot, Wire } from './support.ts';

const types = [typeUrls.cluster, typeUrls.endpoint, typeUrls.listener, typeUrls.route] as const;
const names = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Content is a number; this one no client takes. */
const badContent = 4;

interface Change {
  readonly key: string;
  readonly own: boolean;
  readonly content: number | null;
}

interface World {
  /** Whether a name is shared or the proxy's own, and its content. */
  readonly [typeAndName: string]: { readonly own: boolean; readonly content: number };
}

function snapshotOf(world: World): Snapshot {
  const resources = Object.entries(world).map(([key, { own, content }]): [boolean, EncodedResource] => {
    const [type = '0', name = ''] = key.split('/');
    return [
      own,
      makers[types[Number(type)] ?? types[0]](name, content === badContent ? 'bad' : String(content)),
    ];
  });
  const part = (own: boolean) => resources.filter(([isOwn]) => isOwn === own).map(([, resource]) => resource);
  return snapshot(part(false), part(true));
}

const refuse = (_: string, name: string, value: Uint8Array) =>
  Buffer.from(value).includes('bad') ? `${name} is bad` : undefined;

const typeIndex = fc.nat({ max: types.length - 1 });
const someNames = fc.subarray([...names, '*'], { minLength: 1 });

const operation = fc.oneof(
  fc.record({
    op: fc.constant('change' as const),
    changes: fc.array(
      fc.record({
        key: fc.tuple(typeIndex, fc.constantFrom(...names)).map(([type, name]) => `${type}/${name}`),
        own: fc.boolean(),
        content: fc.option(fc.nat({ max: 5 })),
      }),
      { minLength: 1, maxLength: 8 },
    ),
  }),
  fc.record({ op: fc.constant('subscribe' as const), type: typeIndex, names: someNames }),
  fc.record({ op: fc.constant('unsubscribe' as const), type: typeIndex, names: someNames }),
  fc.record({ op: fc.constant('wildcard' as const), type: fc.constantFrom(0, 2) }),
  fc.record({ op: fc.constantFrom('reconnect' as const, 'impatience' as const, 'settle' as const) }),
  fc.record({ op: fc.constantFrom('request' as const, 'serve' as const, 'response' as const) }),
  fc.record({ op: fc.constantFrom('request' as const, 'serve' as const, 'response' as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

class Model {
  readonly wire: Wire;
  #world: World = {};

  constructor() {
    this.wire = new Wire(snapshotOf({}), { refuse });
  }

  get snapshot(): Snapshot {
    return snapshotOf(this.#world);
  }

  run(operation: Operation): void {
    const { client } = this.wire;
    switch (operation.op) {
      case 'change':
        this.#change(operation.changes);
        break;
      case 'subscribe':
        client.subscribe(types[operation.type] ?? types[0], operation.names);
        break;
      case 'unsubscribe':
        client.unsubscribe(types[operation.type] ?? types[0], operation.names);
        break;
      case 'wildcard':
        this.#wildcard(types[operation.type] ?? types[0]);
        break;
      case 'reconnect':
        this.wire.reconnect();
        break;
      case 'impatience':
        this.wire.stream.stopWaiting();
        break;
      case 'settle':
        this.wire.settle();
        break;
      case 'request':
        this.wire.deliverRequest();
        break;
      case 'serve':
        this.wire.serve();
        break;
      case 'response':
        this.wire.deliverResponse();
        break;
    }
  }

  #change(changes: readonly Change[]): void {
    const next = { ...this.#world };
    for (const { key, own, content } of changes) {
      if (content === null) delete next[key];
      else next[key] = { own, content };
    }
    this.#world = next;
    this.wire.update(this.snapshot);
  }

  /** Only the first request of a type may leave out the names. */
  #wildcard(typeUrl: TypeUrl): void {
    const { client } = this.wire;
    if (client.types.has(typeUrl)) client.subscribe(typeUrl, ['*']);
    else client.subscribeLegacyWildcard(typeUrl);
  }

  /** The client has what the source has, except what it refuses. */
  check(): void {
    for (const [typeUrl, state] of this.wire.client.types) {
      const view = viewOf(this.snapshot, typeUrl as TypeUrl);
      const existing = [...view.shared.keys(), ...view.own.keys()];
      const wanted = new Set([...state.names, ...(state.wildcard ? existing : [])]);
      for (const name of wanted) {
        const target = lookup(view, name);
        if (target !== undefined && Buffer.from(target.bytes).includes('bad')) continue;
        expect(state.held.get(name)?.version, `${typeUrl} ${name}`).toBe(target?.version);
      }
      for (const name of state.names) expect(state.answered, `${typeUrl} ${name}`).toContain(name);
      for (const name of state.held.keys()) {
        expect(lookup(view, name), `${typeUrl} ${name} is gone`).toBeDefined();
        expect(wanted, `${typeUrl} ${name} is not wanted`).toContain(name);
      }
    }
  }
}

describe('any sequence of changes, subscriptions, refusals, lost streams and delays', () => {
  test('ends with the client in step, once both have said what they have to say', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const model = new Model();
        for (const operation of operations) model.run(operation);
        model.wire.settle();
        model.check();
        expect(model.wire.stream.isHoldingBack).toBe(false);
      }),
      { numRuns: 400 },
    );
  });
});

/** A service is a cluster with endpoints; the one route leads to some of the services, and changes with every step. */
interface Step {
  readonly services: readonly string[];
  readonly routesTo: readonly string[];
  readonly endpointsChange: number;
  readonly clustersChange: number;
}

const step: fc.Arbitrary<Step> = fc.subarray(names).chain((services) =>
  fc.record({
    services: fc.constant(services),
    routesTo: fc.subarray(services),
    endpointsChange: fc.nat({ max: 3 }),
    clustersChange: fc.nat({ max: 1 }),
  }),
);

describe('make before break', () => {
  /**
   * As Envoy: subscribes to the endpoints of the clusters it has; a new or changed cluster is cold until it is told of its
   * endpoints, and while one is cold, clusters are not acknowledged.
   */
  class EnvoyLike {
    readonly wire: Wire;
    readonly #versions = new Map<string, string>();
    /** Clusters that are in use, in this version or the one before. */
    readonly #active = new Set<string>();

    constructor() {
      this.wire = new Wire(snapshot([]), {
        mayAck: (typeUrl) => typeUrl !== typeUrls.cluster || this.allWarm(),
      });
      this.wire.client.subscribeLegacyWildcard(typeUrls.cluster);
      this.wire.client.subscribeLegacyWildcard(typeUrls.listener);
      this.wire.client.subscribe(typeUrls.route, ['r']);
    }

    allWarm(): boolean {
      const held = this.wire.client.held(typeUrls.cluster);
      return [...held].every(
        ([name, { version }]) => this.#versions.get(name) === version && this.#told(name),
      );
    }

    clusters(): string[] {
      return [...this.wire.client.held(typeUrls.cluster).keys()];
    }

    /** After a response. */
    follow(): void {
      const { client } = this.wire;
      const held = client.held(typeUrls.cluster);
      for (const [name, { version }] of held) {
        // Only endpoints that come after the cluster count.
        if (this.#versions.get(name) !== version) client.types.get(typeUrls.endpoint)?.answered.delete(name);
        this.#versions.set(name, version);
        if (this.#told(name)) this.#active.add(name);
      }
      const known = [...this.#versions.keys()];
      const gone = known.filter((name) => !held.has(name));
      for (const name of gone) {
        this.#versions.delete(name);
        this.#active.delete(name);
      }
      const subscribed = client.types.get(typeUrls.endpoint)?.names;
      const added = [...held.keys()].filter((name) => subscribed?.has(name) !== true);
      if (added.length > 0) client.subscribe(typeUrls.endpoint, added);
      if (gone.length > 0) client.unsubscribe(typeUrls.endpoint, gone);
    }

    checkRoutes(): void {
      const held = this.wire.client.held(typeUrls.route).get('r');
      const text = Buffer.from(held?.value ?? []).toString();
      for (const name of /to:([a-f]*)/.exec(text)?.[1] ?? '') {
        expect(this.#active, `${text} leads to ${name}`).toContain(name);
      }
    }

    #told(name: string): boolean {
      return this.wire.client.types.get(typeUrls.endpoint)?.answered.has(name) === true;
    }
  }

  test('at no moment does a route lead to a cluster that is not there and warm', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(step, fc.array(fc.constantFrom('request', 'serve', 'response'), { maxLength: 12 })),
          { maxLength: 20 },
        ),
        (history) => {
          const proxy = new EnvoyLike();
          const turn = (what: string): boolean => {
            let moved = false;
            if (what === 'request') moved = proxy.wire.deliverRequest();
            else if (what === 'serve') moved = proxy.wire.serve();
            else moved = proxy.wire.deliverResponse();
            proxy.follow();
            proxy.wire.client.release();
            proxy.checkRoutes();
            return moved;
          };
          for (const [{ services, routesTo, endpointsChange, clustersChange }, turns] of history) {
            const resources = services.flatMap((name) => [
              makers[typeUrls.cluster](name, String(clustersChange)),
              makers[typeUrls.endpoint](name, String(endpointsChange)),
            ]);
            proxy.wire.update(snapshot(resources, [makers[typeUrls.route]('r', `to:${routesTo.join('')}`)]));
            turns.forEach(turn);
          }
          while (['request', 'serve', 'response'].map(turn).includes(true));
          expect(proxy.allWarm()).toBe(true);
          const last = history.at(-1)?.[0];
          expect(proxy.clusters().sort()).toEqual([...(last?.services ?? [])].sort());
          expect([...proxy.wire.client.held(typeUrls.endpoint).keys()].sort()).toEqual(
            proxy.clusters().sort(),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
