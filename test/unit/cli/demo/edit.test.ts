import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeObject, ManifestEditor } from '../../../../src/cli/demo/edit.ts';

const text = `# who
kind: ServiceAccount
metadata: {name: a}
---
# why
kind: EndpointSlice
# where
endpoints:
- addresses: [127.77.0.10]
`;

test('changes one object and leaves comments and the others alone', () => {
  const changed = changeObject(text, 'EndpointSlice', (slice) => {
    slice.setIn(['endpoints', 0, 'addresses'], ['127.77.0.200']);
  });
  expect(changed).toContain('# who\nkind: ServiceAccount');
  expect(changed).toContain('# why\nkind: EndpointSlice\n# where');
  expect(changed).toContain('127.77.0.200');
  expect(changed).not.toContain('127.77.0.10');
  expect(changed.split('---')).toHaveLength(2);
});

test('an object that is not there cannot be changed', () => {
  expect(() => changeObject(text, 'Pod', () => {})).toThrow('no Pod');
});

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'demo-edit-'));
  await mkdir(join(scratch, 'manifests'));
  await writeFile(join(scratch, 'manifests', 'a.yaml'), text);
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

test('restores what was there before the first of several edits', async () => {
  const editor = new ManifestEditor(join(scratch, 'manifests'), scratch);
  const before = performance.now();
  const at = await editor.write('a.yaml', 'kind: One\n');
  expect(at).toBeGreaterThanOrEqual(before);
  await editor.write('a.yaml', 'kind: Two\n');
  await editor.restore('a.yaml');
  expect(await readFile(join(scratch, 'manifests', 'a.yaml'), 'utf8')).toBe(text);
  await expect(editor.restore('a.yaml')).rejects.toThrow('was not edited');
});

test('an edit that fails leaves nothing behind', async () => {
  const editor = new ManifestEditor(join(scratch, 'manifests'), scratch);
  await expect(editor.write('absent.yaml', '')).rejects.toThrow();
  expect(await readdir(scratch)).toEqual(['manifests']);
});
