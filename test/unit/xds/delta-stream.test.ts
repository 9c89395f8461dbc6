import { describe, expect, test } from 'vitest';
import { status } from '../../../src/grpc/status.ts';
import type { decodeDiscoveryRequest } from '../../../src/xds/discovery-request.ts';
import type { Ack, Nack, ProxyStatus } from '../../../src/xds/proxy-status.ts';
import { typeUrls } from '../../../src/xds/resources.ts';
import { maxResponseBytes, maxSubscribedNames } from '../../../src/xds/subscription.ts';
import { cluster, endpoints, listener, nothing, route, snapshot, Wire } from './support.ts';

const { cluster: CDS, endpoint: EDS, listener: LDS, route: RDS } = typeUrls;

const request = (fields: Partial<ReturnType<typeof decodeDiscoveryRequest>>) => ({
  typeUrl: '',
  subscribe: [],
  unsubscribe: [],
  initialVersions: new Map<string, string>(),
  nonce: '',
  error: undefined,
  ...fields,
});

describe('subscriptions', () => {
  test.each([CDS, LDS])('a first request without names subscribes to all: %s', (typeUrl) => {
    const wire = new Wire(snapshot([cluster('a'), listener('a')], [cluster('b'), listener('b')]));
    wire.client.subscribeLegacyWildcard(typeUrl);
    wire.settle();
    expect([...wire.client.held(typeUrl).keys()]).toEqual(['a', 'b']);
  });

  test.each([EDS, RDS])('for other types it subscribes to nothing: %s', (typeUrl) => {
    const wire = new Wire(snapshot([endpoints('a'), route('a')]));
    wire.stream.receive(request({ typeUrl }));
    expect(wire.stream.next()).toBeUndefined();
  });

  test('a wildcard is answered even when there is nothing: Envoy waits for it to start', () => {
    const wire = new Wire(nothing);
    wire.client.subscribeLegacyWildcard(CDS);
    wire.settle();
    expect(wire.log()).toEqual(['Cluster']);
  });

  test('"*" and names side by side; leaving one keeps the other', () => {
    const wire = new Wire(snapshot([cluster('a'), cluster('b')]));
    wire.client.subscribe(CDS, ['*', 'b', 'missing']);
    wire.settle();
    expect(wire.log()).toEqual(['Cluster a b -missing']);
    wire.client.unsubscribe(CDS, ['*']);
    wire.update(snapshot([cluster('a', 'new'), cluster('b', 'new')]));
    wire.settle();
    expect(wire.log()).toEqual(['Cluster b']);
    wire.client.subscribe(CDS, ['*']);
    wire.settle();
    expect(wire.log()).toEqual(['Cluster a']);
  });

  test('unsubscribing a name under a wildcard is answered with its state', () => {
    const wire = new Wire(snapshot([cluster('a')]));
    wire.client.subscribe(CDS, ['*', 'a', 'missing']);
    wire.settle();
    wire.log();
    wire.client.unsubscribe(CDS, ['a', 'missing']);
    wire.settle();
    expect(wire.log()).toEqual(['Cluster a -missing']);
  });

  test('names get exactly what they name, now and on every change', () => {
    const wire = new Wire(snapshot([endpoints('a'), endpoints('b')]));
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    expect(wire.log()).toEqual(['ClusterLoadAssignment a']);
    wire.update(snapshot([endpoints('a'), endpoints('b', 'new')]));
    wire.settle();
    expect(wire.log()).toEqual([]);
    wire.client.subscribe(EDS, ['b']);
    wire.update(snapshot([endpoints('a', 'new'), endpoints('b', 'new')]));
    wire.settle();
    expect(wire.log()).toEqual(['ClusterLoadAssignment a b']);
  });

  test('a name that does not exist is answered as removed at once, and sent when it appears', () => {
    const wire = new Wire(nothing);
    wire.client.subscribe(RDS, ['later']);
    wire.settle();
    expect(wire.log()).toEqual(['RouteConfiguration -later']);
    wire.update(snapshot([], [route('later')]));
    wire.settle();
    expect(wire.log()).toEqual(['RouteConfiguration later']);
  });

  test('subscribing again sends again, with or without unsubscribing between', () => {
    const wire = new Wire(snapshot([endpoints('a')]));
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    wire.client.unsubscribe(EDS, ['a']);
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    expect(wire.log()).toEqual(Array(3).fill('ClusterLoadAssignment a'));
  });

  test('after unsubscribing, changes are not sent', () => {
    const wire = new Wire(snapshot([endpoints('a')]));
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    wire.client.unsubscribe(EDS, ['a']);
    wire.log();
    wire.update(nothing);
    wire.settle();
    expect(wire.log()).toEqual([]);
  });

  test('unchanged content is not sent, whatever objects it comes in', () => {
    const wire = new Wire(snapshot([cluster('a'), cluster('b')]));
    wire.client.subscribeLegacyWildcard(CDS);
    wire.settle();
    wire.log();
    wire.update(snapshot([cluster('b'), { ...cluster('a') }]));
    wire.settle();
    expect(wire.log()).toEqual([]);
  });

  test('a resource may move from the shared part to the own and back', () => {
    const wire = new Wire(snapshot([cluster('a', '1')]));
    wire.client.subscribeLegacyWildcard(CDS);
    wire.settle();
    wire.update(snapshot([], [cluster('a', '1')]));
    wire.settle();
    wire.update(snapshot([], [cluster('a', '2')]));
    wire.settle();
    wire.update(snapshot([cluster('a', '2')]));
    wire.settle();
    expect(wire.log()).toEqual(['Cluster a', 'Cluster a']);
    expect(wire.client.held(CDS).get('a')?.version).toBe(cluster('a', '2').version);
  });
});

describe('reconnecting', () => {
  test('what the client has is not sent, what changed is, what is gone is announced', () => {
    const wire = new Wire(snapshot([cluster('same'), cluster('changed'), cluster('gone')]));
    wire.client.subscribe(CDS, ['*']);
    wire.settle();
    wire.log();
    wire.update(snapshot([cluster('same'), cluster('changed', 'x'), cluster('new')]));
    wire.reconnect();
    wire.settle();
    expect(wire.log()).toEqual(['Cluster changed new', 'Cluster -gone']);
    expect([...wire.client.held(CDS).keys()].sort()).toEqual(['changed', 'new', 'same']);
  });

  test('a client that is up to date gets nothing', () => {
    const wire = new Wire(snapshot([cluster('a'), endpoints('a')]));
    wire.client.subscribe(CDS, ['*']);
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    wire.log();
    wire.reconnect();
    wire.settle();
    expect(wire.log()).toEqual([]);
  });

  test('versions of names it did not subscribe to mean nothing', () => {
    const wire = new Wire(snapshot([endpoints('a'), endpoints('b')]));
    wire.stream.receive(
      request({
        typeUrl: EDS,
        subscribe: ['a'],
        initialVersions: new Map([
          ['b', 'old'],
          ['gone', 'old'],
        ]),
      }),
    );
    wire.serve();
    wire.deliverResponse();
    expect(wire.log()).toEqual(['ClusterLoadAssignment a']);
  });
});

describe('acknowledgements', () => {
  test('one response of a type at a time; what changes meanwhile is sent once, in its newest state', () => {
    const wire = new Wire(snapshot([endpoints('a', '0')]));
    wire.client.subscribe(EDS, ['a']);
    wire.deliverRequest();
    wire.serve();
    for (let i = 1; i <= 50; i++) {
      wire.update(snapshot([endpoints('a', String(i))]));
      wire.serve();
    }
    wire.settle();
    expect(wire.log()).toHaveLength(2);
    expect(wire.client.held(EDS).get('a')?.version).toBe(endpoints('a', '50').version);
  });

  test('a nonce that is stale or made up acknowledges nothing, but its subscriptions count', () => {
    const wire = new Wire(snapshot([endpoints('a'), endpoints('b')]));
    wire.stream.receive(request({ typeUrl: EDS, subscribe: ['a'] }));
    expect(wire.stream.next()).toBeDefined();
    wire.stream.receive(request({ typeUrl: EDS, subscribe: ['b'], nonce: 'made up' }));
    expect(wire.stream.next()).toBeUndefined();
    wire.stream.receive(request({ typeUrl: EDS, nonce: '1' }));
    expect(wire.stream.next()).toBeDefined();
    // The same acknowledgement again: the response it would now release is another one.
    wire.update(snapshot([endpoints('a', 'new'), endpoints('b')]));
    wire.stream.receive(request({ typeUrl: EDS, nonce: '1' }));
    expect(wire.stream.next()).toBeUndefined();
  });

  test('an acknowledgement of one type does not count for another', () => {
    const wire = new Wire(snapshot([endpoints('a'), cluster('a')]));
    wire.stream.receive(request({ typeUrl: EDS, subscribe: ['a'] }));
    expect(wire.stream.next()).toBeDefined();
    wire.update(snapshot([endpoints('a', 'new')]));
    wire.stream.receive(request({ typeUrl: CDS, subscribe: ['x'], nonce: '1' }));
    expect(wire.stream.next()).toBeDefined();
    expect(wire.stream.next()).toBeUndefined();
  });
});

describe('rejections', () => {
  const refuse = (_: string, __: string, value: Uint8Array) =>
    Buffer.from(value).includes('bad') ? 'this one is bad' : undefined;

  test('a rejected version is not sent again until it changes, and the fix gets through', () => {
    const wire = new Wire(snapshot([route('r', 'good')]), { refuse });
    wire.client.subscribe(RDS, ['r']);
    wire.settle();
    wire.update(snapshot([route('r', 'bad')]));
    wire.settle();
    expect(wire.log()).toHaveLength(2);
    for (const others of [[cluster('x')], [cluster('y')]]) {
      wire.update(snapshot([route('r', 'bad'), ...others]));
      wire.settle();
    }
    expect(wire.log()).toEqual([]);
    wire.update(snapshot([route('r', 'fixed')]));
    wire.settle();
    expect(wire.log()).toEqual(['RouteConfiguration r']);
  });

  test('going back to the version before the bad one sends it: the bad one may have been applied in part', () => {
    const wire = new Wire(snapshot([route('r', 'good')]), { refuse });
    wire.client.subscribe(RDS, ['r']);
    wire.settle();
    wire.update(snapshot([route('r', 'bad')]));
    wire.settle();
    wire.update(snapshot([route('r', 'good')]));
    wire.settle();
    expect(wire.log()).toHaveLength(3);
  });

  test('good resources in the company of a bad one get through', () => {
    const nacks: Nack[] = [];
    const wire = new Wire(nothing, { refuse }, { onNack: (nack) => nacks.push(nack) });
    const names = Array.from({ length: 16 }, (_, i) => `r${i}`);
    wire.client.subscribe(RDS, names);
    wire.settle();
    wire.log();
    wire.update(snapshot(names.map((name) => route(name, name === 'r5' ? 'bad' : 'good'))));
    wire.settle();
    expect([...wire.client.held(RDS).keys()].sort()).toEqual(names.filter((name) => name !== 'r5').sort());
    // 16, 8, 4, 2, 1: the bad one is sent five times, and its neighbours no more often.
    const sent = wire.log();
    expect(sent.filter((line) => / r5( |$)/.test(line))).toHaveLength(5);
    expect(sent).toHaveLength(9);
    expect(nacks.at(-1)).toMatchObject({ typeUrl: RDS, names: ['r5'], message: 'this one is bad' });
  });

  test('what is tried again is left out where it changed or is no longer wanted', () => {
    const wire = new Wire(nothing, { refuse });
    wire.client.subscribe(RDS, ['a', 'b', 'c', 'd']);
    wire.settle();
    wire.log();
    wire.update(snapshot([route('a', 'bad'), route('b'), route('c'), route('d')]));
    wire.serve();
    wire.deliverResponse();
    wire.client.unsubscribe(RDS, ['b']);
    wire.update(snapshot([route('a', 'fixed'), route('c'), route('d')]));
    wire.settle();
    const sent = wire.log();
    expect(sent[0]).toBe('RouteConfiguration a b c d');
    expect(sent.slice(1).join(' ')).not.toContain(' b');
    expect([...wire.client.held(RDS).keys()].sort()).toEqual(['a', 'c', 'd']);
  });

  test('the status of a proxy: what it has, and what it refuses and why', () => {
    let proxy: ProxyStatus | undefined;
    const acks: Ack[] = [];
    const good = snapshot([cluster('a'), cluster('b')]);
    const wire = new Wire(
      good,
      { refuse },
      { onOpen: (status) => (proxy = status), onAck: (ack) => acks.push(ack) },
    );
    expect(proxy?.types).toEqual([]);
    wire.client.subscribe(CDS, ['*', 'a']);
    wire.settle();
    const [first] = proxy?.types ?? [];
    expect(first).toMatchObject({
      typeUrl: CDS,
      wildcard: true,
      names: 1,
      inStep: true,
      lastRejection: undefined,
    });
    expect(first?.acked).toEqual(first?.sent);
    expect(acks).toMatchObject([{ typeUrl: CDS, version: first?.acked?.version, snapshot: good }]);

    wire.update(snapshot([cluster('a', 'bad'), cluster('b', 'new')]));
    wire.settle();
    const [second] = proxy?.types ?? [];
    expect([...(second?.rejected ?? [])]).toMatchObject([['a', { message: 'this one is bad' }]]);
    expect(second?.acked?.version).not.toBe(first?.acked?.version);
    expect(second?.inStep).toBe(true);

    wire.update(snapshot([cluster('a', 'fixed'), cluster('b', 'new')]));
    wire.settle();
    const [third] = proxy?.types ?? [];
    expect(third?.rejected.size).toBe(0);
    expect(third?.lastRejection).toMatchObject({ message: 'this one is bad' });
  });

  test('a refusal is forgotten with the subscription', () => {
    let proxy: ProxyStatus | undefined;
    const wire = new Wire(
      snapshot([route('r', 'bad')]),
      { refuse },
      { onOpen: (status) => (proxy = status) },
    );
    wire.client.subscribe(RDS, ['r']);
    wire.settle();
    expect(proxy?.types[0]?.rejected.size).toBe(1);
    wire.client.unsubscribe(RDS, ['r']);
    wire.settle();
    expect(proxy?.types[0]?.rejected.size).toBe(0);
  });
});

describe('order', () => {
  /** A client of all four types, in step with the snapshot. */
  function subscribed(
    initial: ReturnType<typeof snapshot>,
    mayAck: (typeUrl: string) => boolean = () => true,
  ): Wire {
    const wire = new Wire(initial, { mayAck });
    wire.client.subscribeLegacyWildcard(LDS);
    wire.client.subscribe(RDS, ['r', 'r2']);
    wire.client.subscribeLegacyWildcard(CDS);
    wire.client.subscribe(EDS, ['a', 'b']);
    wire.settle();
    wire.log();
    return wire;
  }

  const before = snapshot([cluster('a'), endpoints('a'), listener('l', '1'), route('r', 'to a')]);
  const after = snapshot([
    cluster('b'),
    endpoints('b'),
    listener('l', '2'),
    listener('l2'),
    route('r', 'to b'),
    route('r2'),
  ]);

  test('make before break', () => {
    const wire = subscribed(before);
    wire.update(after);
    wire.settle();
    expect(wire.log()).toEqual([
      'Cluster b',
      'ClusterLoadAssignment b',
      'Listener l l2',
      'RouteConfiguration r r2',
      'Cluster -a',
      'ClusterLoadAssignment -a',
    ]);
  });

  test('the endpoints of a changed cluster are sent again, unchanged: Envoy warms it anew and waits for them', () => {
    const wire = subscribed(before);
    wire.update(snapshot([cluster('a', 'changed'), endpoints('a'), listener('l', '1'), route('r', 'to a')]));
    wire.settle();
    expect(wire.log()).toEqual(['Cluster a', 'ClusterLoadAssignment a']);
    wire.update(
      snapshot([
        cluster('a', 'changed'),
        cluster('c'),
        endpoints('a'),
        listener('l', '1'),
        route('r', 'to a'),
      ]),
    );
    wire.settle();
    expect(wire.log()).toEqual(['Cluster c']);
  });

  test('listeners that replace each other travel together: the second may take over the address of the first', () => {
    const wire = subscribed(snapshot([listener('old')]));
    wire.update(snapshot([listener('new')]));
    wire.settle();
    expect(wire.log()).toEqual(['Listener new -old']);
  });

  test('nothing leads to a cluster before Envoy has acknowledged it, endpoints excepted', () => {
    let warm = true;
    const wire = subscribed(before, (typeUrl) => typeUrl !== CDS || warm);
    warm = false;
    wire.update(after);
    wire.settle();
    expect(wire.log()).toEqual(['Cluster b', 'ClusterLoadAssignment b']);
    expect(wire.stream.isHoldingBack).toBe(true);
    warm = true;
    wire.settle();
    expect(wire.log()).toEqual([
      'Listener l l2',
      'RouteConfiguration r r2',
      'Cluster -a',
      'ClusterLoadAssignment -a',
    ]);
    expect(wire.stream.isHoldingBack).toBe(false);
  });

  test('nothing is taken away while a route that may still lead there is unacknowledged', () => {
    let slow = false;
    const wire = subscribed(before, (typeUrl) => typeUrl !== RDS || !slow);
    slow = true;
    wire.update(after);
    wire.settle();
    expect(wire.log().at(-1)).toBe('RouteConfiguration r r2');
    slow = false;
    wire.settle();
    expect(wire.log()).toEqual(['Cluster -a', 'ClusterLoadAssignment -a']);
  });

  test('a resource that is back before its removal was sent is not touched', () => {
    let slow = false;
    const wire = subscribed(before, (typeUrl) => typeUrl !== RDS || !slow);
    slow = true;
    wire.update(after);
    wire.settle();
    wire.update(before);
    slow = false;
    wire.settle();
    expect(wire.log().filter((line) => / -?a( |$)/.test(line))).toEqual([]);
    expect([...wire.client.held(CDS).keys()]).toEqual(['a']);
  });

  test('a cluster that cannot warm holds back what leads to it once, and edits after that not at all', () => {
    let warm = true;
    const wire = subscribed(before, (typeUrl) => typeUrl !== CDS || warm);
    warm = false;
    wire.update(after);
    wire.settle();
    expect(wire.log()).toEqual(['Cluster b', 'ClusterLoadAssignment b']);
    wire.stream.stopWaiting();
    wire.settle();
    expect(wire.log()).toEqual(['Listener l l2', 'RouteConfiguration r r2', 'Cluster -a']);
    wire.update(snapshot([cluster('b'), endpoints('b'), listener('l', '2'), route('r', 'edited')]));
    wire.settle();
    expect(wire.log()).toEqual(['Listener -l2', 'RouteConfiguration r -r2']);
    // A cluster that comes now is waited for again.
    wire.stream.stopWaiting();
    wire.settle();
    wire.log();
    wire.update(snapshot([cluster('b'), cluster('c'), listener('l', '2'), route('r', 'to c')]));
    wire.settle();
    expect(wire.log()).toEqual(['Cluster c']);
    warm = true;
    wire.settle();
    expect(wire.log()).toEqual(['RouteConfiguration r', 'ClusterLoadAssignment -b']);
    expect(wire.stream.isHoldingBack).toBe(false);
  });

  test('when no more clusters may be sent, for want of any answer, edits still get through and nothing is waited for', () => {
    let warm = true;
    const wire = subscribed(before, (typeUrl) => typeUrl !== CDS || warm);
    warm = false;
    for (let i = 0; i < 10; i++) {
      wire.update(
        snapshot([cluster('a', String(i)), endpoints('a'), listener('l', '1'), route('r', 'to a')]),
      );
      wire.settle();
      wire.stream.stopWaiting();
    }
    wire.log();
    wire.update(snapshot([cluster('a', 'x'), endpoints('a'), listener('l', '1'), route('r', 'edited')]));
    wire.settle();
    expect(wire.log()).toEqual(['RouteConfiguration r']);
    expect(wire.stream.isHoldingBack).toBe(false);
    warm = true;
    wire.settle();
    expect(wire.client.held(CDS).get('a')?.version).toBe(cluster('a', 'x').version);
  });

  test('an answer that comes late counts, and the next one is waited for again', () => {
    let slow = true;
    const wire = new Wire(snapshot([endpoints('a', '1')]), { mayAck: () => !slow });
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    wire.stream.stopWaiting();
    slow = false;
    wire.settle();
    slow = true;
    for (const content of ['2', '3', '4']) {
      wire.update(snapshot([endpoints('a', content)]));
      wire.settle();
    }
    expect(wire.log()).toHaveLength(2);
  });

  test('what changes beside the names of a proxy is not held back from it: it does not want it', () => {
    const wire = new Wire(snapshot([endpoints('a')]), { mayAck: () => false });
    wire.client.subscribe(EDS, ['a']);
    wire.settle();
    wire.update(snapshot([endpoints('a'), endpoints('b')]));
    expect(wire.stream.isHoldingBack).toBe(false);
    wire.update(snapshot([endpoints('a', 'new'), endpoints('b')]));
    expect(wire.stream.isHoldingBack).toBe(true);
  });

  test('a proxy that never answers gets a few responses and no more, whatever happens', () => {
    const wire = new Wire(snapshot([endpoints('a', '0')]), { mayAck: () => false });
    wire.client.subscribe(EDS, ['a']);
    for (let i = 1; i < 100; i++) {
      wire.update(snapshot([endpoints('a', String(i))]));
      wire.stream.stopWaiting();
      wire.settle();
    }
    expect(wire.log()).toHaveLength(4);
  });
});

describe('size', () => {
  test('what does not fit one response comes in several, with nothing lost', () => {
    const large = 'x'.repeat(maxResponseBytes / 4);
    const names = Array.from({ length: 10 }, (_, i) => `c${i}`);
    const wire = new Wire(snapshot(names.map((name) => cluster(name, large))));
    wire.client.subscribeLegacyWildcard(CDS);
    wire.settle();
    expect(wire.log()).toHaveLength(3);
    expect([...wire.client.held(CDS).keys()]).toEqual(names);
  });

  test('also for a client that subscribes by name', () => {
    const large = 'x'.repeat(maxResponseBytes / 4);
    const names = Array.from({ length: 10 }, (_, i) => `c${i}`);
    const wire = new Wire(snapshot(names.map((name) => endpoints(name, large))));
    wire.client.subscribe(EDS, [...names, 'missing']);
    wire.settle();
    expect(wire.log()).toHaveLength(3);
    expect([...wire.client.held(EDS).keys()].sort()).toEqual(names);
    expect(wire.client.types.get(EDS)?.answered).toContain('missing');
  });

  test('routes wait until all the clusters are there', () => {
    const large = 'x'.repeat(maxResponseBytes / 2);
    const wire = new Wire(nothing);
    wire.client.subscribeLegacyWildcard(CDS);
    wire.client.subscribe(RDS, ['r']);
    wire.settle();
    wire.log();
    wire.update(snapshot([cluster('a', large), cluster('b', large), cluster('c', large), route('r')]));
    wire.settle();
    expect(wire.log()).toEqual(['Cluster a b', 'Cluster c', 'RouteConfiguration r']);
  });
});

describe('what is refused', () => {
  test.each(['', 'type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration', '__proto__'])(
    'type %j',
    (typeUrl) => {
      const wire = new Wire(nothing);
      expect(() => wire.stream.receive(request({ typeUrl }))).toThrow(
        expect.objectContaining({ code: status.invalidArgument }),
      );
    },
  );

  const some = (from: number, count: number) => Array.from({ length: count }, (_, i) => `n${from + i}`);
  const exhausted = expect.objectContaining({ code: status.resourceExhausted });

  test('more names than a proxy may have', () => {
    const wire = new Wire(nothing);
    wire.stream.receive(request({ typeUrl: EDS, subscribe: some(0, maxSubscribedNames) }));
    expect(() =>
      wire.stream.receive(request({ typeUrl: EDS, subscribe: some(maxSubscribedNames, 1) })),
    ).toThrow(exhausted);
  });

  test('names that it leaves again and again without waiting for the answers', () => {
    const wire = new Wire(nothing);
    wire.stream.receive(request({ typeUrl: CDS }));
    wire.stream.receive(request({ typeUrl: CDS, unsubscribe: some(0, maxSubscribedNames) }));
    expect(() =>
      wire.stream.receive(request({ typeUrl: CDS, unsubscribe: some(maxSubscribedNames, 1) })),
    ).toThrow(exhausted);
  });
});
