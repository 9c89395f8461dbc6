import { describe, expect, test } from 'vitest';
import { type Desired, findLoss, namesOfObjects } from '../../../../src/sources/files/loss.ts';
import { manifests, meshOptions, pod, policy, service, slice, stateOf } from '../../model/support.ts';

function desired(...texts: string[]): Desired {
  return { state: stateOf(...texts), objects: namesOfObjects(manifests(...texts), meshOptions.parse) };
}

const loss = (before: readonly string[], after: readonly string[]) =>
  findLoss(desired(...before), desired(...after));

const account = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: trading}\n';
const meshed = 'volumes: [{name: t, csi: {driver: csi.trellis.quantum.io, readOnly: true}}]';
const endpoints = '[{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, namespace: trading}}]';
const targets = slice('s', 'a', '[{port: 8080}]', endpoints);

describe('an object that is gone', () => {
  test.each([
    ['QuantumSecurityPolicy trading/policy', policy('{authorization: []}')],
    ['Pod trading/a', pod('a')],
    ['Service trading/a', service('a', '[{port: 80}]')],
    ['EndpointSlice trading/s', slice('s', 'a', '[{port: 80}]', '[]')],
    ['ServiceAccount trading/a', account],
  ])('%s', (name, text) => {
    expect(loss([pod('other'), text], [pod('other')])).toBe(`${name} is gone`);
    expect(loss([pod('other')], [pod('other'), text])).toBeUndefined();
  });

  test('of a foreign kind is none', () => {
    const foreign = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n';
    expect(loss([foreign, pod('a')], [pod('a')])).toBeUndefined();
  });
});

describe('a policy', () => {
  const root = (spec: string) => policy(spec, 'trellis-system');
  const bad = (letter: string) => `spiffe://cluster.local/ns/trading/sa/${letter}`;
  const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

  test.each([
    ['authorization', '{authorization: []}', '{enforcement: enforce}', 'spec.authorization'],
    ['a scalar field', '{postQuantumEncryption: required}', '{}', 'spec.postQuantumEncryption'],
    ['a quarantine entry', `{quarantine: [${bad('a')}]}`, '{quarantine: []}', 'spec.quarantine'],
    [
      'one of as many quarantine entries',
      `{quarantine: ["${bad('a')}"]}`,
      `{quarantine: ["${bad('b')}"]}`,
      'spec.quarantine',
    ],
    [
      'a revoked digest',
      `{revoked: {digests: ["${digest('a')}"], keys: []}}`,
      '{revoked: {keys: []}}',
      'spec.revoked.digests',
    ],
    [
      'a value of its selector',
      '{selector: {matchLabels: {app: a, tier: b}}}',
      '{selector: {matchLabels: {app: a}}}',
      'spec.selector.matchLabels.tier',
    ],
  ])('that loses %s', (_, before, after, path) => {
    expect(loss([root(before)], [root(after)])).toBe(
      `QuantumSecurityPolicy trellis-system/policy: ${path} is gone or lost something`,
    );
  });

  test('that gains fields and entries, or has scalars altered, loses nothing', () => {
    const before = root(`{enforcement: enforce, quarantine: ["${bad('a')}"]}`);
    const after = root(`{enforcement: audit, quarantine: ["${bad('b')}", "${bad('a')}"], authorization: []}`);
    expect(loss([before], [after])).toBeUndefined();
  });

  const rule = (caller: string, to = '') =>
    `{from: [{principals: ["${bad(caller)}"]}]${to && `, to: ${to}`}}`;
  const rules = (...texts: string[]) => [policy(`{authorization: [${texts.join(', ')}]}`)];
  const get = '[{ports: [8080], methods: [GET]}]';

  test.each([
    ['fewer rules', rules(rule('a'), rule('b')), rules(rule('b'))],
    ['no rules', rules(rule('a')), rules()],
    ['other callers', rules(rule('a', get)), rules(rule('b', get))],
    ['another operation', rules(rule('a', get)), rules(rule('a', '[{ports: [9090], methods: [PUT]}]'))],
    ['a rule more', rules(rule('a')), rules(rule('a'), rule('b', get))],
    ['one of the rules in force', rules(rule('a', get), rule('b')), rules(rule('b'))],
  ])('with %s in its authorization loses nothing', (_, before, after) => {
    expect(loss(before, after)).toBeUndefined();
  });

  test.each([
    ['[0].to', rules(rule('a', get)), rules(rule('a'))],
    ['[1].to', rules(rule('a', get)), rules(rule('a', get), rule('b'))],
    ['[0].to[0].methods', rules(rule('a', get)), rules(rule('a', '[{ports: [8080]}]'))],
  ])('with a rule that leaves out a constraint, %s, does', (path, before, after) => {
    expect(loss(before, after)).toContain(`spec.authorization${path} is gone`);
  });
});

test('a QuantumService loses its settings', () => {
  const text = (spec: string) =>
    `apiVersion: quantum.io/v1\nkind: QuantumService\nmetadata: {name: a, namespace: trading}\nspec: ${spec}\n`;
  expect(
    loss(
      [text('{selector: {matchLabels: {app: a}}, traffic: {timeout: 1s, loadBalancing: RANDOM}}')],
      [text('{selector: {matchLabels: {app: a}}, traffic: {loadBalancing: RANDOM}}')],
    ),
  ).toContain('spec.traffic.timeout is gone');
});

describe('a pod or a Service', () => {
  const whole = pod('a', {
    labels: '{app: a, tier: b}',
    ports: '[{containerPort: 8080}]',
    rest: `${meshed}, serviceAccountName: a`,
    status: '{podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}',
  });
  test.each([
    ['its identity volume', meshed, ''],
    ['its service account', ', serviceAccountName: a', ''],
    ['label tier', ', tier: b', ''],
    ['an address', ', {ip: "fd00::1"}', ''],
    ['port 8080', '{containerPort: 8080}', ''],
  ])('a pod loses %s', (what, part, rest) => {
    expect(loss([whole], [whole.replace(part, rest)])).toBe(`Pod trading/a: ${what} is gone`);
  });

  test('a pod that ends, moves or is labelled otherwise loses nothing', () => {
    const ended = whole.replace('status: {', 'status: {phase: Failed, ');
    const moved = whole.replace('10.0.0.1', '10.0.0.2').replace('tier: b', 'tier: c');
    expect(loss([whole], [ended])).toBeUndefined();
    expect(loss([whole], [moved])).toBeUndefined();
  });

  test('a Service loses a port, a cluster IP, or the pod behind an endpoint', () => {
    const full = service('a', '[{name: "", port: 80, targetPort: 8080}]', 'clusterIP: 10.1.0.1');
    expect(loss([full], [full.replace('clusterIP: 10.1.0.1', '')])).toContain('a cluster IP is gone');
    expect(loss([full], [full.replace('port: 80,', 'port: 81,')])).toContain('port 80 is gone');
    const all = [whole, full, targets];
    const nameless = [whole, full, targets.replace(/, targetRef: \{[^}]*\}/, '')];
    expect(loss(all, nameless)).toContain('endpoint 10.0.0.1 no longer names its pod');
  });

  test('endpoints that are not ready any more are no loss', () => {
    const full = service('a', '[{port: 80, targetPort: 8080}]');
    const unready = targets.replace('addresses:', 'conditions: {ready: false}, addresses:');
    expect(loss([whole, full, targets], [whole, full, unready])).toBeUndefined();
  });
});
