// The rules of .dependency-cruiser.json themselves: every folder has one, and every one bites. A checker that has gone
// blind (a TypeScript it cannot read, a pattern with a typo) reports no violations either.

import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const configFile = '.dependency-cruiser.json';

interface Rule {
  readonly name: string;
}
const { forbidden }: { forbidden: Rule[] } = JSON.parse(await readFile(join(root, configFile), 'utf8'));
const rules = forbidden.map(({ name }) => name);

/** Wires up all others and may know all; what is generated is not ours to check. */
const folderWithoutRule = ['cli', 'gen'];
const folders = (await readdir(join(root, 'src'), { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  .map(({ name }) => name)
  .filter((name) => !folderWithoutRule.includes(name));

test('every folder of src has a rule of its name', () => {
  expect(folders.filter((folder) => !rules.includes(folder))).toEqual([]);
});

describe('every rule bites', () => {
  /** Each file imports one thing; the key is the file, without `.ts`. */
  const files: Record<string, string> = {
    'src/stranger/leaf': '',
    'src/cli/leaf': '',
    'src/crypto/algorithms': '',
    'src/crypto/keys': '',
    'test/leaf': '',
    'src/cli/cycle-a': `import './cycle-b.ts';`,
    'src/cli/cycle-b': `import './cycle-a.ts';`,
    'src/cli/unresolvable': `import './nowhere.ts';`,
    'src/cli/dev': `import 'fast-check';`,
    'src/cli/dev-type': `import type { Arbitrary } from 'fast-check'; export type A = Arbitrary<string>;`,
    'src/cli/undeclared': `import 'thread-stream';`,
    'src/cli/tests': `import '../../test/leaf.ts';`,
    'src/model/cli': `import '../cli/leaf.ts';`,
    'src/policy/keys': `import '../crypto/keys.ts';`,
    'src/admission/server/leaf': '',
    'src/admission/decide/io': `import '../server/leaf.ts';`,
    'src/admission/judge-request': `import '../telemetry/leaf.ts';`,
    'src/telemetry/leaf': '',
    'src/registry/client': '',
    'src/registry/errors': '',
    'src/admission/decide/registry': `import '../../registry/client.ts';`,
    'src/admission/decide/allowed': `import '../../registry/errors.ts';`,
    'src/admission/controller/allowed': `import '../server/leaf.ts';`,
    'src/policy/allowed': `import '../crypto/algorithms.ts';`,
    ...Object.fromEntries(
      folders.map((folder) => [`src/${folder}/stranger`, `import '../stranger/leaf.ts';`]),
    ),
    ...Object.fromEntries(
      folders.map((folder) => [
        `src/${folder}/type`,
        `import type { T } from '../stranger/type.ts'; export type U = T;`,
      ]),
    ),
    'src/stranger/type': 'export type T = string;',
  };

  let directory: string;
  /** `file: rule`, sorted. */
  let violations: string[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trellis-rules-'));
    for (const name of [configFile, 'package.json', 'tsconfig.json']) {
      await cp(join(root, name), join(directory, name));
    }
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    for (const [name, text] of Object.entries(files)) {
      const path = join(directory, `${name}.ts`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `${text}\nexport {};\n`);
    }
    const program = join(root, 'node_modules/.bin/depcruise');
    const { stdout, stderr } = spawnSync(program, ['--config', configFile, '--output-type', 'json', 'src'], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const found: { summary: { violations: { from: string; rule: Rule }[] } } = JSON.parse(stdout);
    violations = found.summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`).sort();
  }, 60_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('on exactly the files that break it', () => {
    expect(violations).toEqual(
      [
        // A cycle is reported once.
        'src/cli/cycle-a.ts: no-circular',
        'src/cli/unresolvable.ts: no-unresolvable',
        'src/cli/dev.ts: no-dev-dependencies-in-src',
        'src/cli/dev-type.ts: no-dev-dependencies-in-src',
        'src/cli/undeclared.ts: no-undeclared-dependencies',
        'src/cli/tests.ts: src-does-not-know-tests',
        'src/model/cli.ts: model',
        'src/model/cli.ts: nothing-knows-the-cli',
        'src/policy/keys.ts: policy',
        'src/admission/decide/io.ts: admission-decides-without-io',
        'src/admission/decide/registry.ts: admission-decides-without-io',
        'src/admission/judge-request.ts: admission-decides-without-io',
        ...folders.flatMap((folder) => [
          `src/${folder}/stranger.ts: ${folder}`,
          `src/${folder}/type.ts: ${folder}`,
        ]),
      ].sort(),
    );
  });

  test('and none is without a file that breaks it', () => {
    expect(rules.filter((rule) => !violations.some((violation) => violation.endsWith(`: ${rule}`)))).toEqual(
      [],
    );
  });
});
