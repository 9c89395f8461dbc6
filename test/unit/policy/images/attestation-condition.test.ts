import { describe, expect, test } from 'vitest';
import {
  type AttestedStatement,
  compileAttestationCondition,
} from '../../../../src/policy/images/attestation-condition.ts';

const provenance = {
  buildDefinition: {
    buildType: 'https://example.com/ci',
    externalParameters: { 'build-args': ['a'], retries: 3, ratio: 1.5, nothing: null },
    resolvedDependencies: [
      { uri: 'git+https://git.example/a', digest: { gitCommit: 'ab' } },
      { uri: 'git+https://git.example/b', digest: { gitCommit: 'cd' } },
    ],
  },
  runDetails: { builder: { id: 'https://example.com/builder' } },
};

const statement = (
  predicate: unknown,
  change: Omit<Partial<AttestedStatement>, 'predicate'> = {},
): AttestedStatement => ({
  predicateType: 'https://slsa.dev/provenance/v1',
  subject: { name: 'registry.example/a', digest: { sha256: 'ab' } },
  ...change,
  predicate,
});

const ask = (condition: string, of: AttestedStatement = statement(provenance)) =>
  compileAttestationCondition(condition).holds(of);

describe('what a condition can read', () => {
  test.each([
    "predicate.buildDefinition.buildType == 'https://example.com/ci'",
    "predicate.buildDefinition.resolvedDependencies.all(d, d.uri.startsWith('git+https://git.example/'))",
    "predicate.buildDefinition.resolvedDependencies.exists(d, d.digest.gitCommit == 'cd')",
    "predicate.buildDefinition.externalParameters['build-args'][0] == 'a'",
    "predicate['runDetails']['builder'].id.matches('^https://example[.]com/')",
    'has(predicate.runDetails) && !has(predicate.metadata)',
    "'runDetails' in predicate && !('metadata' in predicate)",
    'size(predicate.buildDefinition.resolvedDependencies) == 2',
    "predicateType == 'https://slsa.dev/provenance/v1'",
    "subject.name == 'registry.example/a' && has(subject.name)",
    "subject.digest.sha256 == 'ab' && subject.digest['sha256'] == 'ab' && !has(subject.digest.sha512)",
    "predicate.buildDefinition.resolvedDependencies.map(d, d.digest.gitCommit) == ['ab', 'cd']",
    "predicate.buildDefinition.buildType + '@' + subject.digest.sha256 == 'https://example.com/ci@ab'",
  ])('%s', (condition) => {
    expect(ask(condition)).toBe(true);
    expect(ask(`!(${condition})`)).toBe('the condition is false');
  });

  /** Each of them alone decides. */
  test('is the statement it is asked about', () => {
    const condition = "predicate.a == 1 && predicateType == 't' && subject.digest.sha256 == 'ab'";
    const subject = { digest: { sha256: 'ab' } };
    expect(ask(condition, statement({ a: 1 }, { predicateType: 't', subject }))).toBe(true);
    expect(ask(condition, statement({ a: 2 }, { predicateType: 't', subject }))).not.toBe(true);
    expect(ask(condition, statement({ a: 1 }, { predicateType: 'u', subject }))).not.toBe(true);
    expect(
      ask(condition, statement({ a: 1 }, { predicateType: 't', subject: { digest: { sha256: 'cd' } } })),
    ).not.toBe(true);
  });

  test('numbers: whole ones are ints, the others doubles, and all compare with each other', () => {
    const numbers = (condition: string) =>
      ask(condition, statement({ three: 3, half: 0.5, minus: -1, big: 2 ** 60, list: ['a', 'b', 'c', 'd'] }));
    expect(numbers('predicate.three == 3 && predicate.three == 3.0 && predicate.three > 2.5')).toBe(true);
    expect(numbers('predicate.three + 1 == 4 && predicate.three in [1, 2, 3]')).toBe(true);
    expect(numbers("predicate.list[predicate.three] == 'd'")).toBe(true);
    expect(numbers('predicate.half * 2.0 == 1.0 && double(predicate.three) / 2.0 == 1.5')).toBe(true);
    expect(numbers('predicate.minus == -1 && predicate.minus < 0')).toBe(true);
    expect(numbers('type(predicate.three) == int && type(predicate.half) == double')).toBe(true);
    // Its digits may have been others: 2^60 + 1 reads the same.
    expect(numbers('type(predicate.big) == double')).toBe(true);
  });

  test('a predicate is data, whatever it is called', () => {
    const disguised = statement(
      JSON.parse(
        '{"a": {"$typeName": "google.protobuf.BoolValue", "value": true}, "constructor": {"name": "x"}, "__proto__": {"y": 1}}',
      ),
    );
    expect(ask("predicate.a.value == true && predicate.constructor.name == 'x'", disguised)).toBe(true);
    expect(ask('predicate.a == true', disguised)).toBe('the condition is false');
    expect(ask('has(predicate.y) || has(predicate.toString)', disguised)).toBe('the condition is false');
    expect(ask('has(subject.digest.constructor)')).toBe('the condition is false');
  });

  test('a predicate that is no object, or none', () => {
    expect(ask("predicate == 'a'", statement('a'))).toBe(true);
    expect(ask('predicate == null', statement(null))).toBe(true);
    expect(ask('predicate == null', statement(undefined))).toBe(true);
    expect(ask('predicate.a == 1', statement(null))).toContain('came to no answer');
    expect(ask("predicateType != ''", statement(undefined))).toBe(true);
  });
});

describe('anything but true is a reason', () => {
  test.each([
    ['predicate.missing == 1', 'the condition came to no answer: field not found: missing; has() asks first'],
    ['predicate.missing != 1', 'field not found: missing'],
    ["predicate.buildDefinition.buildType.x == 'a'", 'the condition came to no answer'],
    ['predicate.buildDefinition.resolvedDependencies[2].uri != ""', 'index 2 out of bounds'],
    ['1 / (predicate.buildDefinition.externalParameters.retries - 3) == 1', 'divide by zero'],
    ["predicate.buildDefinition.externalParameters.retries + 'a' == 'b'", 'no matching overload'],
    ['int(predicate.buildDefinition.buildType) == 1', 'not a whole number'],
    ['predicate.buildDefinition.buildType', 'it came to a value of type string, which is neither true nor'],
    ['predicate.buildDefinition', 'neither true nor false'],
    ["dyn('true')", 'neither true nor false'],
    ['predicate.buildDefinition.resolvedDependencies.all(d, d.url != "")', 'field not found: url'],
    ['predicate.buildDefinition.buildType == "a"', 'the condition is false'],
  ])('%s: %s', (condition, reason) => {
    expect(ask(condition)).toContain(reason);
  });

  test('a subject without a name', () => {
    const nameless = statement({}, { subject: { digest: { sha256: 'ab' } } });
    expect(ask("subject.name != 'a'", nameless)).toBe(
      'the condition came to no answer: there is no subject.name; has(subject.name) asks first',
    );
    expect(ask('has(subject.name)', nameless)).toBe('the condition is false');
  });

  test('is one line, whatever the predicate says', () => {
    const hostile = statement({ key: `a\n\u202e${'x'.repeat(5000)}` });
    const reason = ask("{'a': 1}[predicate.key] == 1", hostile);
    expect(reason).toContain('came to no answer');
    expect(String(reason)).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(String(reason).length).toBeLessThan(400);
  });
});

describe('a predicate that is too large', () => {
  const list = (length: number, element: unknown = 1) => ({ list: Array.from({ length }, () => element) });
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

  test.each([
    ['more than 250000 values', list(250_000), list(249_000)],
    ['more than 64 levels', deep(64), deep(63)],
    ['more than 262144 characters in one text', { a: 'x'.repeat(262_145) }, { a: 'x'.repeat(262_144) }],
    ['more than 262144 characters in one text', { ['x'.repeat(262_145)]: 1 }, { ['x'.repeat(262_144)]: 1 }],
    ['more than 8388608 characters', list(33, 'x'.repeat(262_144)), list(31, 'x'.repeat(262_144))],
  ])('%s', (reason, tooLarge, large) => {
    expect(ask('predicate != 0', statement(tooLarge))).toBe(
      `predicate is too large for a condition: it has ${reason}`,
    );
    expect(ask('predicate != 0', statement(large))).toBe(true);
    // Of no concern to who does not read it.
    expect(ask("predicateType != ''", statement(tooLarge))).toBe(true);
  });

  test('the same of what else is read', () => {
    const long = 'x'.repeat(3000);
    expect(ask("predicateType != ''", statement({}, { predicateType: long }))).toContain(
      'predicateType is too large',
    );
    expect(ask("subject.name != ''", statement({}, { subject: { name: long, digest: {} } }))).toContain(
      'subject.name is too large',
    );
    const digests = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`d${index}`, 'ab']));
    expect(ask('has(subject.digest.d1)', statement({}, { subject: { digest: digests } }))).toContain(
      'subject.digest is too large',
    );
  });

  test('for what the condition asks: linear conditions go on where quadratic ones end', () => {
    const sbom = (packages: number) =>
      statement({
        packages: Array.from({ length: packages }, (_, index) => ({
          name: `package-${index}`,
          license: 'MIT',
          refs: [
            { type: 'purl', locator: `pkg:npm/package-${index}` },
            { type: 'cpe', locator: `cpe:2.3:a:${index}` },
          ],
        })),
      });
    const linear = "predicate.packages.all(p, p.license in ['MIT'] && p.name != 'log4j')";
    const nested =
      "predicate.packages.all(p, p.refs.exists(r, r.type == 'purl' && r.locator.startsWith('pkg:npm/')))";
    const matching = "predicate.packages.all(p, p.name.matches('^[a-z0-9-]+$'))";
    const quadratic = 'predicate.packages.all(p, predicate.packages.exists(q, q.name == p.name))';
    expect(ask(linear, sbom(5000))).toBe(true);
    expect(ask(nested, sbom(5000))).toBe(true);
    expect(ask(matching, sbom(5000))).toBe(true);
    expect(ask(quadratic, sbom(30))).toBe(true);
    expect(ask(quadratic, sbom(5000))).toMatch(
      /^the condition may cost \d+ steps on a predicate of 50002 values and \d+ characters, as this one is; at most 15000000 are allowed$/,
    );
  });

  test('for its regular expressions, whatever the rest of it comes to', () => {
    const text = 'abaabbab'.repeat(100);
    const condition = "predicate.list.exists(x, x.matches('^(a|b)*a(a|b){20}c$')) || true";
    expect(ask(condition, statement(list(10, text)))).toBe(true);
    expect(ask(condition, statement(list(2000, text)))).toBe(
      'the regular expressions of the condition cost more than 5000000 steps on this predicate',
    );
    // What one statement has cost is of no concern to the next.
    const compiled = compileAttestationCondition(condition);
    compiled.holds(statement(list(2000, text)));
    expect(compiled.holds(statement(list(10, text)))).toBe(true);
  });
});

describe('what is refused when a policy is read, and what to write instead', () => {
  test.each([
    ['ERR_CONDITION_NAME', "predicat.buildType == 'a'", 'Did you mean "predicate"?'],
    ['ERR_CONDITION_NAME', "predicatetype == 'a'", 'Did you mean "predicateType"?'],
    ['ERR_CONDITION_NAME', "request.path == '/'", 'A condition reads predicate, predicateType, subject'],
    ['ERR_CONDITION_NAME', 'now > timestamp("2026-01-01T00:00:00Z")', 'there is no "now"'],
    ['ERR_CONDITION_NAME', "subject.nmae == 'a'", 'Did you mean "name"?'],
    ['ERR_CONDITION_NAME', 'has(subject.nmae)', 'Did you mean "name"?'],
    ['ERR_CONDITION_NAME', "subject == 'a'", 'write a field of it, such as subject.name'],
    ['ERR_CONDITION_NAME', "'name' in subject", 'write a field of it'],
    ['ERR_CONDITION_NAME', "predicate.build-type == 'a'", "brackets: predicate['build-type']"],
    ['ERR_CONDITION_NAME', '[1].exists(predicate, predicate == 1)', 'give the variable another name'],
    ['ERR_CONDITION_NAME', "predicate.name.lowerAscii() == 'a'", 'no function "lowerAscii"'],
    ['ERR_CONDITION_TYPE', 'has(subject.digest)', 'always there'],
    ['ERR_CONDITION_TYPE', "predicateType.x == 'a'", 'text has no field "x"'],
    ['ERR_CONDITION_TYPE', 'predicateType == 3', 'text and a number are never equal'],
    ['ERR_CONDITION_TYPE', "predicate.a + 'b' == 3", 'text and a number are never equal'],
    ['ERR_CONDITION_TYPE', 'predicateType', 'this one is text'],
    ['ERR_CONDITION_TYPE', 'predicate.a.matches(predicate.b)', 'must be written out'],
    ['ERR_CONDITION_SYNTAX', "predicate.a == 'a", 'not a CEL expression'],
    ['ERR_CONDITION_SYNTAX', "predicate.a.matches('(?=a)')", "no regular expression of RE2's syntax"],
    ['ERR_CONDITION_COST', `true || ${'x'.repeat(4096)}`, 'at most 4096 are allowed'],
    [
      'ERR_CONDITION_COST',
      'predicate.a.all(x, predicate.b.all(y, predicate.c.all(z, x == y || y == z)))',
      'steps on a predicate of 500 values and 32768 characters; at most 15000000',
    ],
  ])('%s: %s', (code, condition, hint) => {
    const compile = () => compileAttestationCondition(condition);
    expect(compile).toThrow(expect.objectContaining({ name: 'PolicyError', code }));
    expect(compile).toThrow(hint);
  });

  test('a local variable may be called like a field', () => {
    expect(ask('[1].all(digest, digest == 1) && [2].all(name, name - 1 == 1)')).toBe(true);
  });

  test('the expression is kept as it was written', () => {
    expect(compileAttestationCondition(' true ').text).toBe(' true ');
  });
});
