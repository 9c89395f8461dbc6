import { describe, expect, test } from 'vitest';
import { checkCondition, compileAuthorization } from '../../../../../src/policy/authorize/compile.ts';
import { ConditionCompiler } from '../../../../../src/policy/authorize/condition/condition.ts';
import { PolicyError } from '../../../../../src/policy/errors.ts';
import { type Asked, anyone, caller, conditionOutcome, goodToken, outcome, policyOf } from '../support.ts';

const denied = (cause: string) => `deny:shop/orders:rule-0:${cause}`;

describe('what a condition can read', () => {
  test.each<[string, Asked]>([
    [`source.principal == '${caller}'`, {}],
    ["source.namespace == 'shop' && source.serviceAccount == 'cart'", {}],
    ['destination.port == 8080', {}],
    ["request.method == 'GET'", {}],
    ["request.path == '/a' && request.query == 'x=1?y'", { path: '/a?x=1?y' }],
    ["request.query == ''", { path: '/a' }],
    ["request.host == 'shop.example'", { host: 'Shop.Example.' }],
    ["request.host == 'shop.example:80'", { host: 'SHOP.example.:80' }],
    [
      "request.headers['x-a'] == '1' && request.headers.cookie == 'c'",
      { headers: { 'x-a': '1', cookie: 'c' } },
    ],
    ["'x-a' in request.headers && has(request.headers.cookie)", { headers: { 'x-a': '', cookie: '' } }],
    ["!('x-a' in request.headers) && !has(request.headers.cookie)", {}],
    ["now == timestamp('2026-03-04T10:30:00Z') && now.getHours() == 10 && now.getDayOfWeek() == 3", {}],
    ["request['path'] == '/'", {}],
    ["['/x', '/'].exists(p, request.path == p)", {}],
  ])('%s', (condition, asked) => {
    expect(conditionOutcome(condition, asked)).toBe('allowed');
    expect(conditionOutcome(`!(${condition})`, asked)).toBe(denied('condition-false'));
  });

  test('the token of a rule that asks for one', () => {
    const token = {
      ...goodToken,
      claims: { role: 'admin', groups: ['a', 'b'], nested: { level: 3, ok: true, none: null } },
    };
    const condition =
      "token.type == 'ML-DSA' && token.subject == source.principal && token.audience != '' && token.claims.role == 'admin' && 'a' in token.claims.groups && token.claims['nested'].level == 3 && token.claims.nested.ok && !has(token.claims.missing)";
    const headers = { authorization: 'Bearer token' };
    expect(conditionOutcome(condition, { headers }, { token })).toBe('allowed');
    expect(conditionOutcome("token.claims.role == 'user'", { headers }, { token })).toBe(
      denied('condition-false'),
    );
  });

  test('a namespace of the same name in another trust domain is not this one', () => {
    const asked = { principal: 'spiffe://elsewhere/ns/shop/sa/cart' };
    expect(conditionOutcome("source.namespace == '' && source.serviceAccount == ''", asked)).toBe('allowed');
  });
});

describe('nothing but true is true', () => {
  test.each([
    ["request.headers['x-a'] == '1'", 'condition-error'],
    ["request.headers['x-a'] != '1'", 'condition-error'],
    ['int(request.headers.cookie) == 1', 'condition-error'],
    ['1 / (destination.port - 8080) == 1', 'condition-error'],
    ['9223372036854775807 + destination.port > 0', 'condition-error'],
    ["dyn('true')", 'condition-error'],
    ['dyn(1)', 'condition-error'],
    ['[1][destination.port] == 1', 'condition-error'],
    ['request.path.matches("^/x")', 'condition-false'],
    ["request.headers['x-a'] == '1' || request.path == '/'", undefined],
    ["request.headers['x-a'] == '1' && request.path == '/x'", 'condition-false'],
  ])('%s: %s', (condition, cause) => {
    const expected = cause === undefined ? 'allowed' : denied(cause);
    expect(conditionOutcome(condition, { headers: { cookie: 'c' } })).toBe(expected);
  });

  /** An application behind HTTP/1 gets each of these as `admin`; CGI and its heirs read the twin as the same header. */
  test.each([
    [' admin', 'invalid-header'],
    ['admin ', 'invalid-header'],
    ['\tadmin', 'invalid-header'],
    ['admin\t', 'invalid-header'],
  ])('the header %j is not read as something else than admin', (text, cause) => {
    const asked = { headers: { 'x-role': text } };
    expect(conditionOutcome("request.headers['x-role'] != 'admin'", asked)).toBe(denied(cause));
  });

  test.each([{ 'x-role': 'guest', x_role: 'admin' }, { x_role: 'admin' }])(
    'a header with a twin is not read: %j',
    (headers) => {
      const condition = "!('x-role' in request.headers) || request.headers['x-role'] != 'admin'";
      expect(conditionOutcome(condition, { headers })).toBe(denied('duplicate-header'));
    },
  );

  test.each([
    ['/public/..;/admin', 'ambiguous-path'],
    ['/public/..;x=1/admin', 'ambiguous-path'],
    ['/public/.;/admin', 'ambiguous-path'],
    ['/public/..%3B/admin', 'ambiguous-path'],
    ['/public/a;..;/b', undefined],
    ['/public/..a;/b', undefined],
    ['/public/a?x=/..;/', undefined],
  ])('the path %s: %s', (path, cause) => {
    const expected = cause === undefined ? 'allowed' : denied(cause);
    expect(conditionOutcome("request.path.startsWith('/public/')", { path })).toBe(expected);
    // Of no concern to who does not read it.
    expect(conditionOutcome("request.method == 'GET'", { path })).toBe('allowed');
  });

  /** BigInt('') is 0 and Number(' 0x10 ') is 16; neither is what a header has to say to be a number. */
  test.each(['', '0x1', '1e0', '1.0', '99999999999999999999'])('the text %j is no whole number', (text) => {
    expect(
      conditionOutcome('int(request.headers.a) < 5 || uint(request.headers.a) < 5u', {
        headers: { a: text },
      }),
    ).toBe(denied('condition-error'));
  });

  test.each(['', '0x1', 'Infinity', '1_0'])('the text %j is no number', (text) => {
    expect(conditionOutcome('double(request.headers.a) < 5.0', { headers: { a: text } })).toBe(
      denied('condition-error'),
    );
  });

  test('a number is one', () => {
    const condition =
      "int(request.headers.a) == -7 && double(request.headers.b) == 1.5e3 && uint('+7') == 7u";
    expect(conditionOutcome(condition, { headers: { a: '-7', b: '1.5e3' } })).toBe('allowed');
  });
});

describe('input that is not fit to be decided by', () => {
  test('a header that occurs twice, when it is read; even when only asked for', () => {
    const headers = { 'x-a': ['1', '1'] };
    expect(conditionOutcome("request.headers['x-a'] == '1'", { headers })).toBe(denied('duplicate-header'));
    expect(conditionOutcome("'x-a' in request.headers", { headers })).toBe(denied('duplicate-header'));
    expect(conditionOutcome("request.headers['x-b'] == '1'", { headers: { ...headers, 'x-b': '1' } })).toBe(
      'allowed',
    );
  });

  test('a header that is no UTF-8', () => {
    expect(conditionOutcome("request.headers['x-a'] != '1'", { headers: { 'x-a': 'a\ufffd' } })).toBe(
      denied('invalid-header'),
    );
  });

  test.each<[string, Asked]>([
    ["request.headers['x-a'] != '1'", { headers: { 'x-a': 'a'.repeat(8193) } }],
    ["request.path != '1'", { path: `/${'a'.repeat(8192)}` }],
    ["request.query != '1'", { path: `/?${'a'.repeat(8193)}` }],
    ["request.host != '1'", { host: 'a'.repeat(513) }],
    ["request.method != '1'", { method: 'A'.repeat(65) }],
  ])('%s: too long', (condition, asked) => {
    expect(conditionOutcome(condition, asked)).toBe(denied('input-too-large'));
  });

  test('claims that are too many, too deep or too long', () => {
    const headers = { authorization: 'Bearer token' };
    const ask = (claims: Record<string, unknown>) =>
      conditionOutcome('!has(token.claims.x)', { headers }, { token: { ...goodToken, claims } });
    const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
    expect(ask({ a: Array.from({ length: 200 }, () => 1), b: deep(10), c: 'c'.repeat(8000) })).toBe(
      'allowed',
    );
    expect(ask({ a: Array.from({ length: 300 }, () => 1) })).toBe(denied('input-too-large'));
    expect(ask({ a: deep(17) })).toBe(denied('input-too-large'));
    expect(ask({ a: 'c'.repeat(9000) })).toBe(denied('input-too-large'));
    expect(ask({ ['k'.repeat(9000)]: 1 })).toBe(denied('input-too-large'));
  });

  test('claims are data, whatever they are called', () => {
    const headers = { authorization: 'Bearer token' };
    const claims = JSON.parse(
      '{"a": {"$typeName": "google.protobuf.BoolValue", "value": true}, "constructor": {"name": "x"}, "__proto__": {"y": 1}}',
    );
    const ask = (condition: string) =>
      conditionOutcome(condition, { headers }, { token: { ...goodToken, claims } });
    expect(ask("token.claims.a.value == true && token.claims.constructor.name == 'x'")).toBe('allowed');
    expect(ask('token.claims.a == true')).toBe(denied('condition-false'));
    expect(ask('has(token.claims.y)')).toBe(denied('condition-false'));
    expect(ask('has(token.claims.toString) || has(token.claims.a.hasOwnProperty)')).toBe(
      denied('condition-false'),
    );
  });
});

describe('what is refused when a policy is read, and what to write instead', () => {
  test.each([
    ["request.pth == '/'", 'Did you mean "path"?'],
    ["requst.path == '/'", 'Did you mean "request"?'],
    ['request == request', 'write a field of it'],
    ["path == '/'", 'A condition reads source, destination, request, token, now'],
    ["request.headers['X-Tenant'] == 'a'", "write request.headers['x-tenant']"],
    ["'X-Tenant' in request.headers", "write request.headers['x-tenant']"],
    ['has(request.headers.Cookie)', "write request.headers['cookie']"],
    ["request.headers[source.principal] == 'a'", 'by a name that is written out'],
    ['source.principal in request.headers', 'by a name that is written out'],
    ["request.headers.exists(h, h == 'a')", 'by a name that is written out'],
    ['size(request.headers) > 1', 'by a name that is written out'],
    ['request.headers == request.headers', 'by a name that is written out'],
    ["[request.headers].exists(h, h['x-a'] == '1')", 'by a name that is written out'],
    ["request['headers'][request.path] == 'a'", 'by a name that is written out'],
    ["request.headers[':path'] == '/'", 'write request.path'],
    ["request.headers.host == 'a'", 'write request.host'],
    ["request.headers['a b'] == 'a'", 'no name of a header'],
    ["request.headers.user-agent == 'a'", "request.headers['user-agent']"],
    ["request.headers.x.y == 'a'", 'text has no field "y"'],
    ['has(request.path)', 'is always there'],
    ["request.path == '/' && request.path", 'text is neither true nor false'],
    ['!request.path', 'text is neither true nor false'],
    ['request.path', 'this one is text'],
    ['1 + 1', 'this one is a number'],
    ["destination.port != '8080'", 'a number and text are never equal'],
    ["destination.port in ['8080']", 'a number and text are never equal'],
    ["'shop' in source.principal", 'text.contains(x)'],
    ["destination.port.startsWith('80')", 'startsWith() is for text'],
    ["request.path.exists(x, x == 'a')", 'text has no elements to go through'],
    ["[1].exists(request, request.path == '/')", 'give the variable another name'],
    ['[1].exists(int, int == 1)', 'give the variable another name'],
    ["request.path.lowerAscii() == '/'", 'no function "lowerAscii"'],
    ['google.protobuf.BoolValue{value: true} == true', 'there is no type'],
    ['google.protobuf.Timestamp == now', 'there is no "google"'],
    ['token.subject == source.principal', 'add token: {} to the rule'],
    ['now.hour == 1', 'write now.getHours()'],
    ['request.path.matches(request.query)', 'must be written out'],
    ["request.path.matches('(')", "no regular expression of RE2's syntax"],
    ["request.path.matches('(?=a)')", "no regular expression of RE2's syntax"],
    ["request.path == '/", 'not a CEL expression'],
    ['', 'not a CEL expression'],
  ])('%s: %s', (condition, hint) => {
    expect(checkCondition(condition, false)).toContain(hint);
  });

  test('nothing, where there is nothing to say', () => {
    expect(checkCondition("request.path == '/'", false)).toBeUndefined();
    expect(checkCondition('token.subject == source.principal', true)).toBeUndefined();
  });

  test('the policy and the rule are named', () => {
    const policy = policyOf([{ from: anyone }, { from: anyone, condition: 'no' }]);
    expect(() => compileAuthorization(policy)).toThrow(PolicyError);
    expect(() => compileAuthorization(policy)).toThrow('shop/orders, rule 1: there is no "no"');
  });
});

/** Each of these would run for seconds to centuries, or use up the stack. */
describe('what would cost too much is refused', () => {
  const ten = '[0,1,2,3,4,5,6,7,8,9]';
  const nest = (levels: number): string =>
    levels === 0 ? 'true' : `${ten}.all(x${levels}, ${nest(levels - 1)})`;
  test.each([
    ['lists in lists', nest(8)],
    ['lists that grow', `${ten}.map(a, ${ten}.map(b, ${ten}.map(c, ${ten}.map(d, ${ten}.map(e, a))))) == []`],
    [
      'claims, all with all',
      'token.claims.a.all(x, token.claims.b.all(y, token.claims.c.all(z, x == y || y == z)))',
    ],
    ['text searched in text', 'request.headers.a.contains(request.headers.b)'],
    [
      'text made longer and longer',
      `${Array.from({ length: 30 }, () => 'request.path').join(' + ')} == ${Array.from({ length: 30 }, () => 'request.path').join(' + ')} && ${ten}.all(x, ${ten}.all(y, ${Array.from({ length: 30 }, () => 'request.path').join(' + ')} != ''))`,
    ],
    [
      'many regular expressions',
      Array.from({ length: 40 }, (_, i) => `request.path.matches('a[b-d]{${i},40}z')`).join('||'),
    ],
    [
      'a regular expression for each of lists in lists',
      `${ten}.all(x, ${ten}.all(y, request.path.matches('a[b-d]{1,40}z')))`,
    ],
    ['a regular expression that is long', `request.path.matches('${'a'.repeat(513)}')`],
    ['a regular expression that counts far', "request.path.matches('(a|b)*a(a|b){200}')"],
    ['depth', `${'[('.repeat(100)}1${')]'.repeat(100)} == []`],
    ['a long sum', `${Array.from({ length: 100 }, () => '1').join('+')} == 100`],
    ['more depth than the parser has', `${'('.repeat(2000)}true${')'.repeat(2000)}`],
    ['length', `true || ${'x'.repeat(4096)}`],
  ])('%s', (_name, condition) => {
    const compile = () => new ConditionCompiler().compile(condition, true);
    expect(compile).toThrow(expect.objectContaining({ code: 'ERR_CONDITION_COST' }));
  });

  test('long chains of alternatives are not', () => {
    const alternatives = Array.from({ length: 100 }, (_, i) => `request.path == '/${i}'`).join(' || ');
    expect(checkCondition(alternatives, false)).toBeUndefined();
    const list = Array.from({ length: 400 }, (_, i) => `'/${i}'`).join(',');
    expect(checkCondition(`request.path in [${list}]`, false)).toBeUndefined();
  });

  test('and what all rules together may cost for one request is bounded: the last one is not asked any more', () => {
    const costly = { from: anyone, condition: "request.path.matches('^(/[a-z]{1,20}){1,3}$')" };
    const path = `/${'a'.repeat(1000)}`;
    const ask = (rules: number) =>
      outcome([...Array.from({ length: rules }, () => costly), { from: anyone, condition: 'true' }], {
        path,
      });
    expect(ask(2)).toBe('allowed');
    expect(ask(40)).toBe(denied('condition-false'));
  });

  test('of which regular expressions count with what they have done, anew each time', () => {
    const condition = new ConditionCompiler().compile("request.path.matches('^/a+$')", false);
    const cost = (path: string) => condition.evaluate({ 'request.path': path }).cost;
    const [short, long] = [cost('/a'), cost(`/${'a'.repeat(1000)}`)];
    expect(long).toBeGreaterThan(short);
    expect(cost('/a')).toBe(short);
    const twice = new ConditionCompiler().compile("[1, 2].all(x, request.path.matches('^/a+$'))", false);
    const growth = (each: typeof twice) =>
      each.evaluate({ 'request.path': '/aaa' }).cost - each.evaluate({ 'request.path': '/a' }).cost;
    expect(growth(twice)).toBe(2 * growth(condition));
  });
});
