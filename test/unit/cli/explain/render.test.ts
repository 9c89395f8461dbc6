import { describe, expect, test } from 'vitest';
import { renderExplanation } from '../../../../src/cli/explain/render.ts';
import { ask, clientId, mesh, policy, serverId } from '../../explain/support.ts';

const rule = `from: [{principals: [${clientId}]}]`;
const show = (...parameters: Parameters<typeof ask>) => renderExplanation(ask(...parameters));

describe('for people', () => {
  test('an allowed call', () => {
    const state = mesh(
      policy('shop/p', `{quantumAuthentication: hybrid, authorization: [{${rule}}]}`),
      policy('trellis-system/mesh', '{enforcement: audit, authorization: []}'),
    );
    expect(
      show(state, { to: 'shop/server-1', port: 8080 }),
    ).toBe(`allowed  shop/client → shop/server-1:8080  GET /a

  caller        ${clientId}
  through       Service shop/mixed

  called        shop/server-1, port 8080, ${serverId}
  connection    TLSv1.3, X25519MLKEM768, ML-DSA-65 certificates on both sides; a client certificate is required
  counter-sig.  demanded by shop/p: the agent checks it once per connection
  decided by    Envoy alone
  policy        shop/p               allows, by rule 0 (authentication hybrid)
  audit         trellis-system/mesh  would deny: no rule is about this caller
                deny:trellis-system/mesh (recorded, not enforced)`);
  });

  test('a denied call says what would be allowed', () => {
    const other = `{${rule}, to: [{methods: [GET, HEAD], paths: [/b, /c/**]}, {ports: [9000]}], token: {}, condition: 'true'}`;
    expect(
      show(mesh(policy('shop/p', `{authorization: [${other}]}`)), { to: 'shop/server-1', port: 8080 }),
    ).toBe(`denied   shop/client → shop/server-1:8080  GET /a

  reason        deny:shop/p
  caller        ${clientId}
  through       Service shop/mixed

  called        shop/server-1, port 8080, ${serverId}
  connection    TLSv1.3, X25519MLKEM768, ML-DSA-65 certificates on both sides; a client certificate is required
  counter-sig.  not demanded
  decided by    Envoy alone
  policy        shop/p  denies: no rule lets this caller do that
                        it may: GET,HEAD /b /c/**; port 9000 with a token if true (rule 0)`);
  });

  test('several pods each have their own verdict and reason', () => {
    const closed = policy('shop/closed', '{selector: {matchLabels: {pod: server-2}}, authorization: []}');
    const text = show(mesh(closed));
    expect(text).toContain('  pods          1 of 2 allow it');
    expect(text).toContain('\nallowed  shop/server-1\n');
    expect(text).toContain('\ndenied   shop/server-2\n');
    expect(text).toContain('  policies      none selects it');
    expect(text.match(/reason {8}deny:shop\/closed/g)).toHaveLength(2);
  });

  test('what the caller’s own proxy refuses', () => {
    expect(show(mesh(), { to: 'shop/empty' })).toBe(`denied   shop/client → shop/empty:80  GET /a

  reason        empty.shop.svc.cluster.local has no ready endpoint
  caller        ${clientId}
  refused by    the caller's own proxy, with 503`);
  });

  test('plaintext, and the lack of a connection', () => {
    expect(show(mesh(), { from: 'shop/legacy', to: 'shop/legacy' })).toContain(
      '  connection    plaintext, nobody proves who it is\n  decided by    nobody: what goes in plaintext goes past the mesh',
    );
    expect(show(mesh(), { from: 'shop/legacy' })).toContain(
      '  connection    none\n  decided by    nothing: there is no connection to decide about',
    );
  });

  test.each([
    ['token: {}', 'rule 0 asks for a token (Authorization: Bearer), and there is none'],
    ["condition: 'false'", 'rule 0 matches, but its condition is false'],
  ])('why %s does not hold', (demand, text) => {
    expect(show(mesh(policy('shop/p', `{authorization: [{${rule}, ${demand}}]}`)))).toContain(
      `denies: ${text}`,
    );
  });

  test('the token that was shown', () => {
    const explanation = ask(mesh());
    const request = { method: 'GET', path: '/', host: 'h', headers: [] };
    const expiresAt = '2026-03-01T12:05:00.000Z';
    const token = { valid: true, type: 'ML-DSA', subject: 'a', audience: 'b', expiresAt } as const;
    expect(renderExplanation({ ...explanation, request: { ...request, token } })).toContain(
      `  token         ML-DSA, of a, for b, until ${expiresAt}`,
    );
    const bad = { valid: false, failure: 'token-expired' } as const;
    expect(renderExplanation({ ...explanation, request: { ...request, token: bad } })).toContain(
      '  token         not valid: token-expired',
    );
  });
});
