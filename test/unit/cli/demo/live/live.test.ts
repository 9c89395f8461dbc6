import { describe, expect, test } from 'vitest';
import { parseAccess } from '../../../../../src/cli/demo/live/access-log.ts';
import { Edges } from '../../../../../src/cli/demo/live/edges.ts';
import { Edits } from '../../../../../src/cli/demo/live/edits.ts';
import { negotiatedByService } from '../../../../../src/cli/demo/live/negotiated.ts';
import { changeLine, renderTable } from '../../../../../src/cli/demo/live/table.ts';

const id = (name: string): string => `spiffe://cluster.local/ns/quantum-trader/sa/${name}`;
const line = (change: object = {}): string =>
  JSON.stringify({
    time: '2026-11-21T11:25:53.123Z',
    direction: 'inbound',
    self: id('ai-engine'),
    peer: id('gateway'),
    method: 'POST',
    path: '/predict',
    code: 200,
    details: 'via_upstream',
    ...change,
  });
const unknown = { policy: undefined, cause: 'unknown' };
const denied = { code: 403, details: 'rbac_access_denied_matched_policy[deny:quantum-trader/ai-engine]' };

function access(change: object = {}) {
  const parsed = parseAccess(line(change));
  if (parsed === undefined) throw new Error('not understood');
  return parsed;
}

describe('access log', () => {
  test('who, whom, what, and by which policy', () => {
    expect(access()).toEqual({
      at: Date.UTC(2026, 10, 21, 11, 25, 53, 123),
      caller: id('gateway'),
      called: id('ai-engine'),
      request: 'POST /predict',
      status: 200,
      denial: undefined,
    });
    expect(access(denied).denial).toEqual({ policy: 'quantum-trader/ai-engine', cause: undefined });
    expect(access({ code: 403, details: 'something_new' }).denial).toEqual(unknown);
    expect(access({ method: 'CONNECT', path: '-' }).request).toBe('CONNECT');
  });

  test('what the agent has denied, and that it said nothing', () => {
    const byAgent = { code: 403, details: 'ext_authz_denied', denied: 'deny:shop/web:rule-2:token-missing' };
    expect(access(byAgent).denial).toEqual({ policy: 'shop/web', cause: 'rule-2:token-missing' });
    expect(access({ ...byAgent, denied: null }).denial).toEqual(unknown);
    expect(access({ code: 503, details: 'ext_authz_error', denied: null }).denial).toEqual({
      policy: undefined,
      cause: 'the agent did not answer',
    });
  });

  test("an application's own 403 is no denial", () => {
    expect(access({ code: 403, details: 'via_upstream', denied: null }).denial).toBeUndefined();
  });

  test.each([
    '',
    'text',
    '{',
    '[]',
    line({ direction: 'outbound' }),
    line({ peer: null }),
    line({ peer: '' }),
  ])('nothing to learn from %s', (text) => {
    expect(parseAccess(text)).toBeUndefined();
  });
});

describe('edges', () => {
  test('counts, and tells what is new and what has changed', () => {
    const edges = new Edges();
    expect(edges.add(access())?.before).toBeUndefined();
    expect(edges.add(access())).toBeUndefined();
    const change = edges.add(access(denied));
    expect(change?.before).toBe('allowed');
    expect(change?.edge.decision).toBe('denied by quantum-trader/ai-engine');
    expect(edges.add(access())?.before).toBe('denied by quantum-trader/ai-engine');
    expect(edges.list().map(({ decision, count }) => `${decision} ${count}`)).toEqual([
      'allowed 3',
      'denied by quantum-trader/ai-engine 1',
    ]);
  });

  test.each([
    [
      { code: 403, details: 'ext_authz_denied', denied: 'deny:a/b:rule-2:token-missing' },
      'denied by a/b (rule 2, token-missing)',
    ],
    [{ code: 403, details: 'ext_authz_denied', denied: 'deny:a/b' }, 'denied by a/b'],
    [
      { code: 403, details: 'rbac_access_denied_matched_policy[deny:a/b:quarantine]' },
      'denied by a/b (quarantine)',
    ],
    [{ code: 403, details: 'ext_authz_denied', denied: 'deny:policy-unknown' }, 'denied (policy-unknown)'],
    [
      { code: 403, details: 'rbac_access_denied_matched_policy[deny:mesh-default:quantumAuthentication]' },
      'denied (mesh-default:quantumAuthentication)',
    ],
    [
      { code: 403, details: 'rbac_access_denied_matched_policy[deny:a/b+c/d:hybrid-conflict]' },
      'denied by a/b+c/d (hybrid-conflict)',
    ],
    [{ code: 503, details: 'ext_authz_error' }, 'denied (the agent did not answer)'],
  ])('says why: %j', (change, decision) => {
    const edges = new Edges();
    edges.add(access(change));
    expect(edges.list()[0]).toMatchObject({ decision, denied: true });
  });

  test('paths without end do not fill the memory', () => {
    const edges = new Edges();
    for (let index = 0; index < 1000; index += 1) edges.add(access({ path: `/orders/${index}` }));
    expect(edges.list()).toHaveLength(200);
  });

  test('an application that fails is not a denial', () => {
    const edges = new Edges();
    edges.add(access({ code: 503, details: 'upstream_reset' }));
    expect(edges.list()[0]).toMatchObject({ decision: 'allowed, HTTP 503', denied: false });
  });
});

const negotiated = new Map([['gateway ai-engine', { group: 'X25519MLKEM768', signature: 'mldsa65' }]]);

function table(
  options: { colors?: boolean; columns?: number; rows?: number; now?: number } = {},
): readonly string[] {
  const edges = new Edges();
  edges.add(access());
  edges.add(access(denied));
  edges.add(access({ peer: id('execution'), path: '/other' }));
  const { colors = false, columns = 300, rows = 40, now = access().at + 10 } = options;
  return renderTable({ edges: edges.list(), negotiated, now, colors, columns, rows });
}

describe('table', () => {
  test('has everything that is known about a pair', () => {
    const [head, ...rows] = table();
    expect(head).toMatch(/who → whom .*request .*decision .*count .*key exchange .*signature .*SPIFFE ID/);
    expect(rows.join('\n')).toMatch(
      /gateway → ai-engine +POST \/predict +allowed +1 +X25519MLKEM768 +mldsa65 +spiffe:\/\/\S+\/gateway/,
    );
    expect(rows.join('\n')).toContain('denied by quantum-trader/ai-engine');
    expect(rows.find((row) => row.startsWith('execution'))).toContain('…');
  });

  test('fits the terminal', () => {
    for (const row of table({ columns: 60 })) expect(row.length).toBeLessThanOrEqual(60);
    expect(table({ rows: 4 }).at(-1)).toContain('1 more');
  });

  test('colours say allowed, denied, and no longer', () => {
    expect(table({ colors: true }).join('')).toContain('\u001b[31m');
    expect(table({ colors: true, now: access().at + 60_000 }).join('')).not.toContain('\u001b[31m');
  });

  test('a line where there is no terminal', () => {
    const edges = new Edges();
    edges.add(access());
    const change = edges.add(access(denied));
    if (change === undefined) throw new Error('no change');
    expect(changeLine(change.edge, change.before, negotiated.get('gateway ai-engine'))).toBe(
      `gateway → ai-engine  POST /predict: denied by quantum-trader/ai-engine (was: allowed)  [${id('gateway')}, X25519MLKEM768, mldsa65]`,
    );
  });
});

test('what was negotiated, by service', () => {
  const cluster = 'cluster.outbound|8001|ai-engine.quantum-trader.svc.cluster.local.ssl';
  const stats = new Map([
    [`${cluster}.curves.X25519MLKEM768`, 3],
    [`${cluster}.curves.X25519`, 0],
    [`${cluster}.sigalgs.mldsa65`, 3],
    ['cluster.trellis-config.ssl.curves.X25519', 1],
  ]);
  expect(Object.fromEntries(negotiatedByService(stats))).toEqual({
    'ai-engine': { group: 'X25519MLKEM768', signature: 'mldsa65' },
  });
});

test('a change soon after a save is put down to it', () => {
  const edits = new Edits();
  expect(edits.reason(100)).toBeUndefined();
  edits.saved('ai-engine.yaml', 100);
  expect(edits.reason(99)).toBeUndefined();
  expect(edits.reason(131)).toBe('31 ms after ai-engine.yaml was saved');
  expect(edits.reason(60_000)).toBeUndefined();
});
