import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../../../src/model/problem.ts';
import { parseManifestFile } from '../../../../src/sources/files/document.ts';
import { maxObjectsPerFile } from '../../../../src/sources/files/limits.ts';

const contents = (text: string) => parseManifestFile('f.yaml', text).manifests.map(({ content }) => content);
const problems = (text: string) => parseManifestFile('f.yaml', text).problems.map(formatProblem);

describe('documents', () => {
  test('several in a file, empty ones skipped', () => {
    expect(contents('a: 1\n---\n# nothing\n---\nb: 2\n---\n')).toEqual([{ a: 1 }, { b: 2 }]);
    expect(problems('a: 1\n---\n# nothing\n---\nb: 2\n---\n')).toEqual([]);
  });

  test('a file of comments means nothing', () => {
    expect(parseManifestFile('f.yaml', '# later\n')).toEqual({ manifests: [], problems: [] });
  });

  test('a file without a byte is somebody about to write', () => {
    expect(problems('')).toEqual([
      'f.yaml:1:1: error: the file is empty, as while it is being written; delete it, or write a comment into it, to mean nothing',
    ]);
  });

  test('JSON, with tabs', () => {
    expect(contents('{\n\t"kind": "Pod",\n\t"spec": [\n\t\t1, true, null\n\t]\n}\n')).toEqual([
      { kind: 'Pod', spec: [1, true, null] },
    ]);
  });

  test('values mean what they mean in YAML 1.2 and Kubernetes', () => {
    expect(contents('{a: yes, b: 2027-03-01T00:00:00Z, c: 0x10, d: ~, e: "1"}')).toEqual([
      { a: 'yes', b: '2027-03-01T00:00:00Z', c: 16, d: null, e: '1' },
    ]);
  });

  test('anchors and merges', () => {
    expect(contents('a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n')).toEqual([
      { a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } },
    ]);
  });

  test('__proto__ is a name like any other', () => {
    const [content] = contents('__proto__: {polluted: true}');
    expect(Object.keys(content as object)).toEqual(['__proto__']);
    expect((content as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('lists', () => {
  test('are taken apart', () => {
    const list =
      'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Service}\n';
    expect(contents(list)).toEqual([
      { apiVersion: 'v1', kind: 'Pod' },
      { apiVersion: 'v1', kind: 'Service' },
    ]);
  });

  test('of one kind lend it to their items', () => {
    const list = 'apiVersion: quantum.io/v1\nkind: QuantumServiceList\nitems:\n- {metadata: {name: a}}\n';
    expect(contents(list)).toEqual([
      { apiVersion: 'quantum.io/v1', kind: 'QuantumService', metadata: { name: 'a' } },
    ]);
  });

  test('may be empty', () => {
    expect(contents('{apiVersion: v1, kind: List, items: []}')).toEqual([]);
    expect(contents('{apiVersion: v1, kind: List}')).toEqual([]);
  });

  test('inside lists are refused, for what is in them would be overlooked', () => {
    expect(
      problems('{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: []}]}'),
    ).toEqual(['f.yaml:1:1: error: items[0]: a List inside a List; take the inner one apart']);
    expect(problems('{apiVersion: v1, kind: List, items: {}}')).toHaveLength(1);
  });

  test('know where their items stand', () => {
    const list =
      'apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n- kind: Service\n  metadata:\n    name: x\n';
    const [, service] = parseManifestFile('f.yaml', list).manifests;
    expect(service?.locate?.(['metadata', 'name'])).toEqual({ file: 'f.yaml', line: 7, column: 5 });
  });
});

describe('places', () => {
  const text = `# comment
kind: Pod
spec:
  containers:
  - name: a
    ports: [{containerPort: 1}, {containerPort: 2}]
  labels: {"a.b/c": x}
---
kind: Service
spec: &spec
  ports:
  - port: 80
copy: *spec
`;
  const locate = (document: number, path: (string | number)[]) => {
    const origin = parseManifestFile('f.yaml', text).manifests[document]?.locate?.(path);
    return `${origin?.line}:${origin?.column}`;
  };

  test.each([
    [0, [], '2:1'],
    [0, ['spec'], '3:1'],
    [0, ['spec', 'containers'], '4:3'],
    [0, ['spec', 'containers', 0], '5:5'],
    [0, ['spec', 'containers', 0, 'ports', 1, 'containerPort'], '6:34'],
    [0, ['spec', 'labels', 'a.b/c'], '7:12'],
    [1, ['spec', 'ports', 0, 'port'], '12:5'],
    [1, ['copy', 'ports', 0, 'port'], '12:5'],
    // What is not there is missed at the innermost thing around it.
    [0, ['spec', 'containers', 0, 'image'], '5:5'],
    [0, ['spec', 'containers', 7, 'name'], '4:3'],
    [0, ['metadata', 'name'], '2:1'],
  ])('document %i, %j: %s', (document, path, expected) => {
    expect(locate(document, path)).toBe(expected);
  });
});

describe('what is not YAML', () => {
  test.each([
    ['a: 1\na: 2\n', 'f.yaml:2:1: error: not valid YAML: Map keys must be unique'],
    // Both become the field `1`.
    ['a: {1: x, "1": y}\n', 'f.yaml:1:11: error: not valid YAML: Map keys must be unique'],
    ['a: {~: x, "": y}\n', 'f.yaml:1:11: error: not valid YAML: Map keys must be unique'],
    ['a: 1\n? [b]\n: 2\n', 'f.yaml:2:3: error: not valid YAML: a key that is no plain name'],
    ['a: &b x\n*b : 1\n', 'f.yaml:2:1: error: not valid YAML: a key that is no plain name'],
    ['a: !mine 1\n', 'f.yaml:1:4: error: not valid YAML: Unresolved tag: !mine'],
    ['ok: 1\n---\na: [1\n', 'f.yaml:4:1: error: not valid YAML: '],
    ['ok: 1\n---\na: *b\n', 'f.yaml:3:1: error: cannot be read: Unresolved alias'],
    ['\tkey: 1\n', 'f.yaml:1:'],
  ])('%j', (text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
    expect(contents(text)).toEqual([]);
  });

  test('aliases that expand without end', () => {
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => [...pair])) {
      lines.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
    }
    expect(problems(lines.join('\n'))[0]).toContain('Excessive alias count');
  });

  test('more aliases than anybody writes, each of another anchor', () => {
    const text = Array.from({ length: 101 }, (_, i) => `- &a${i} 1\n- *a${i}\n`).join('');
    expect(problems(text)).toEqual([expect.stringContaining('more than 100 aliases')]);
  });

  // With a check that compares all keys with each other this runs into the time limit of a test.
  test('a mapping of very many keys is read', () => {
    const keys = Array.from({ length: 150_000 }, (_, i) => `k${i}: 1\n`).join('');
    expect(Object.keys(contents(keys)[0] as object)).toHaveLength(150_000);
    expect(problems(`${keys}k7: 2\n`)).toEqual([expect.stringContaining('f.yaml:150001:1: error')]);
  });

  test('a message quotes neither control characters nor at length', () => {
    const [message = ''] = problems(`a: *b\u0007${'c'.repeat(5_000)}\n`);
    expect(message).toContain('b\\u0007c');
    expect(message.length).toBeLessThan(400);
  });

  test('nesting without end', () => {
    expect(problems('['.repeat(50_000))).toHaveLength(1);
    expect(problems(`${'{a: '.repeat(50_000)}1${'}'.repeat(50_000)}`)).toHaveLength(1);
  });

  test('more objects than a file may have', () => {
    const items = Array(maxObjectsPerFile + 1)
      .fill('{}')
      .join(',');
    expect(problems(`{apiVersion: v1, kind: List, items: [${items}]}`)[0]).toContain('split it');
  });
});
