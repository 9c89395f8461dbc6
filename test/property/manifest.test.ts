// Whatever is in a manifest file: it is read or refused, the same way every time, and saying so costs little.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { buildMeshState } from '../../src/model/build.ts';
import { isRecord } from '../../src/model/manifest.ts';
import type { Parsed } from '../../src/model/parse.ts';
import { formatProblem, type Problem } from '../../src/model/problem.ts';
import type { Resource } from '../../src/model/resource.ts';
import { createMeshManifestParser } from '../../src/policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../../src/sources/crds.ts';
import { parseManifestFile } from '../../src/sources/files/document.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import {
  manifestContents,
  manifestNames,
  manifestTexts,
  manifestValues,
  yamlPieces,
} from './support/manifests.ts';
import { mutatedText, mutatedValue } from './support/mutations.ts';

const definitions = await readCustomResourceDefinitions();
const remembering = createMeshManifestParser(definitions);
/** Objects are remembered by their identity: of a shallow copy nothing is known, so that every call parses. */
const parse = (content: unknown): Parsed => remembering(isRecord(content) ? { ...content } : content);
const mesh = { trustDomain: 'cluster.local', rootNamespace: 'trellis-system' };

/** What one object may add to logs and status, whatever is in it. */
const maxIssues = 42;
const maxMessageChars = 2_000;

/** Arbitrary bytes as the file source decodes them, and with what it would refuse replaced. */
const arbitraryText = fc
  .uint8Array({ maxLength: 300 })
  .chain((bytes) =>
    fc.constantFrom(...(['utf8', 'latin1', 'utf16le'] as const)).map((as) => Buffer.from(bytes).toString(as)),
  );

const anyText = fc.oneof(
  arbitraryText,
  fc.array(fc.constantFrom(...yamlPieces), { maxLength: 40 }).map((pieces) => pieces.join('')),
  { arbitrary: mutatedText(fc.constantFrom(...manifestTexts), yamlPieces), weight: 3 },
);

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    fc.jsonValue(),
    fc.constantFrom(...manifestValues),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom(...manifestNames), tie('tree')), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

const anyContent = fc.oneof(tree, {
  arbitrary: mutatedValue(fc.constantFrom(...manifestContents), manifestNames, manifestValues),
  weight: 4,
});

describe('the text of a file', () => {
  test('is read or refused, with a place for every problem and every field', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { manifests, problems } = parseManifestFile('f.yaml', text);
        if (problems.length > 0) expect(manifests).toEqual([]);
        for (const { locate } of manifests) expect(locate?.(['spec', 'a', 0]).line).toBeGreaterThan(0);
        for (const problem of problems) expectProblem(problem);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('says the same every time', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const [first, second] = [parseManifestFile('f.yaml', text), parseManifestFile('f.yaml', text)];
        expect(second.problems).toEqual(first.problems);
        const contents = ({ manifests }: typeof first) => manifests.map(({ content }) => content);
        expect(contents(second)).toEqual(contents(first));
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('means the same as the data it was written from', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        // A YAML document of null is none, and `kind: List` is taken apart; undefined and -0 are not in YAML.
        const plain: unknown = JSON.parse(JSON.stringify(content));
        const wrapped = { kind: 'X', content: plain };
        const read = (text: string) =>
          parseManifestFile('f.yaml', text).manifests.map((manifest) => manifest.content);
        expect(
          read(stringify(wrapped, { aliasDuplicateObjects: false, defaultKeyType: 'QUOTE_DOUBLE' })),
        ).toEqual([wrapped]);
        expect(read(JSON.stringify(wrapped))).toEqual([wrapped]);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });
});

describe('the keys of a mapping', () => {
  const key = fc.constantFrom(
    'a',
    '1',
    '"1"',
    "'1'",
    '0x1',
    '1.0',
    '~',
    'null',
    '""',
    "'~'",
    'true',
    '"true"',
    '__proto__',
  );
  /** As YAML 1.2 reads a key, and JSON a name. */
  const names: Readonly<Record<string, string>> = {
    ...{
      '"1"': '1',
      "'1'": '1',
      '0x1': '1',
      '1.0': '1',
      '~': '',
      null: '',
      '""': '',
      "'~'": '~',
      '"true"': 'true',
    },
  };
  const nameOf = (text: string) => (Object.hasOwn(names, text) ? names[text] : text);

  test('are all there, or one of them is refused', () => {
    const layout = fc.constantFrom<(entries: readonly string[]) => string>(
      (entries) => `{${entries.join(', ')}}`,
      (entries) => entries.join('\n'),
      (entries) => `x:\n- y\n- ${entries.join('\n  ')}`,
    );
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 5 }), layout, (keys, write) => {
        const { manifests, problems } = parseManifestFile('f.yaml', write(keys.map((each) => `${each}: 7`)));
        const distinct = new Set(keys.map(nameOf));
        expect(problems.length).toBe(distinct.size === keys.length ? 0 : 1);
        for (const { content } of manifests) {
          const mapping = (content as { x?: unknown[] }).x?.[1] ?? content;
          expect(new Set(Object.keys(mapping as object))).toEqual(distinct);
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

describe('an object', () => {
  test('nested deeper than any resource is refused, however deep', () => {
    const depth = fc.oneof(fc.integer({ min: 65, max: 200 }), fc.integer({ min: 200, max: 50_000 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...manifestContents),
        fc.constantFrom(...manifestNames),
        depth,
        (content, name, levels) => {
          let deep: unknown = 1;
          for (let level = 0; level < levels; level++) deep = level % 2 === 0 ? [deep] : { a: deep };
          const { resource, issues } = parse({ ...(content as object), [name]: deep });
          expect(resource).toBeUndefined();
          expect(issues).toHaveLength(1);
        },
      ),
      { numRuns: fuzzRuns(100) },
    );
  });

  test('becomes a resource or issues, few and short', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        const { resource, issues, foreign } = parse(content);
        const errors = issues.filter(({ severity }) => severity === 'error');
        expect(resource === undefined).toBe(errors.length > 0 || foreign !== undefined);
        expect(issues.length).toBeLessThanOrEqual(maxIssues);
        for (const { message } of issues) expectMessage(message);
      }),
      { numRuns: fuzzRuns(1_000) },
    );
  });

  test('is not changed by being read, and says the same every time', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        const before = structuredClone(content);
        const first = parse(content);
        expect(parse(content)).toEqual(first);
        expect(content).toEqual(before);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('that is accepted is accepted again when it is written down and read', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        const { resource } = parse(content);
        if (resource === undefined) return;
        expect(parse(JSON.parse(JSON.stringify(content))).resource).toEqual(resource);
        // With its defaults filled in it is still valid, and nothing more is filled in.
        const custom = customResource(resource);
        if (custom !== undefined) expect(parse(custom).resource).toEqual(resource);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('with any condition is accepted or refused, and says why', () => {
    const conditions = ["request.method == 'GET'", "request.path == '/limits/' + request.headers['x-desk']"];
    const pieces = [
      'request',
      '.',
      "'",
      '(',
      ')',
      '[',
      ' && ',
      ' == ',
      'token.claims',
      'now',
      '1',
      '{',
      'matches',
      '\\',
      '?:',
    ];
    const policy = manifestContents.find(
      (content) => isRecord(content) && content['kind'] === 'QuantumSecurityPolicy',
    );
    fc.assert(
      fc.property(
        mutatedText(fc.constantFrom(...conditions), pieces),
        fc.boolean(),
        (condition, withToken) => {
          const rule = { from: [{ principals: ['*'] }], condition, ...(withToken ? { token: {} } : {}) };
          const { resource, issues } = parse({ ...(policy as object), spec: { authorization: [rule] } });
          expect(resource === undefined).toBe(issues.length > 0);
          for (const { message } of issues) expectMessage(message);
        },
      ),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('of a name or kind that is too long is not quoted in full', () => {
    fc.assert(
      fc.property(fc.constantFrom(...manifestContents), fc.nat({ max: 5 }), (content, depth) => {
        for (const { message } of parse(withLongNames(content, depth)).issues) expectMessage(message);
      }),
      { numRuns: fuzzRuns(50) },
    );
  });
});

describe('all manifests together', () => {
  const contents = fc.array(anyContent, { maxLength: 6 });
  const build = (list: readonly unknown[]) =>
    buildMeshState(
      list.map((content) => ({ content })),
      { ...mesh, parse },
    );

  test('make a mesh, or there is an error that says why not', () => {
    fc.assert(
      fc.property(contents, (list) => {
        const { state, problems } = build(list);
        expect(state === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
        for (const problem of problems) expectProblem(problem);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('make the same mesh in any order', () => {
    fc.assert(
      fc.property(
        contents.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        ([list, shuffled]) => {
          const [one, other] = [build(list), build(shuffled)];
          // As text, so that the order inside maps counts too.
          expect(textOf(other.state)).toBe(textOf(one.state));
        },
      ),
      { numRuns: fuzzRuns(200) },
    );
  });
});

function expectProblem(problem: Problem): void {
  expectMessage(formatProblem(problem));
  if (problem.origin !== undefined) expect(problem.origin.line).toBeGreaterThan(0);
}

function expectMessage(message: string): void {
  expect(message).not.toBe('');
  expect(message.length).toBeLessThanOrEqual(maxMessageChars);
  expect(message).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
}

function customResource(resource: Resource): unknown {
  const apiVersion = { QuantumSecurityPolicy: 'security.quantum.io/v1', QuantumService: 'quantum.io/v1' };
  if (resource.kind !== 'QuantumSecurityPolicy' && resource.kind !== 'QuantumService') return undefined;
  const { kind, namespace, name, spec } = resource;
  return { apiVersion: apiVersion[kind], kind, metadata: { namespace, name }, spec };
}

/** A field and a value of a length that nobody would want in a log, at some depth. */
function withLongNames(content: unknown, depth: number): unknown {
  const long = 'x'.repeat(100_000);
  if (typeof content !== 'object' || content === null) return content;
  if (Array.isArray(content)) return content.map((each) => withLongNames(each, depth));
  if (depth === 0) return { ...content, [long]: long };
  return Object.fromEntries(
    Object.entries(content).map(([key, value]) => [key, withLongNames(value, depth - 1)]),
  );
}

function textOf(state: unknown): string {
  return JSON.stringify(state, (_, value) => (value instanceof Map ? [...value] : value)) ?? 'none';
}
