import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatProblem } from '../../../../src/model/problem.ts';
import { watchManifests } from '../../../../src/sources/files/watch.ts';
import { meshOptions } from '../../model/support.ts';
import { podYaml, replaceFile, temporaryDirectory, until } from './support.ts';

test.each(['a', 'b'])(
  'a defect of ours at the manifest %s is reported once, ends no watch, and keeps what is in force',
  async (poison) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a.yaml'), podYaml('a'));
    let defective = true;
    let defects = 0;
    const said: string[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const source = await watchManifests({
      directory,
      mesh: {
        ...meshOptions,
        parse: (manifest) => {
          if (defective && JSON.stringify(manifest).includes(`"name":"${poison}"`)) {
            defects++;
            throw new Error('a defect');
          }
          return meshOptions.parse(manifest);
        },
      },
      signal: stop.signal,
      timing: { pollMs: 50, urgentPollMs: 20 },
      report: {
        problem: (problem) => said.push(formatProblem(problem)),
        ignoredKind: () => {},
        recovered: () => said.push('recovered'),
      },
    });
    const pods = () => [...(source.current()?.workloads.values() ?? [])].map(({ name }) => name).join();
    const before = poison === 'a' ? '' : 'a';
    expect(pods()).toBe(before);
    await replaceFile(join(directory, 'b.yaml'), podYaml('b'));
    // Also when nothing changes any more: what failed is not taken for known.
    await until(() => defects > 3);
    expect(pods()).toBe(before);
    expect(said).toEqual([expect.stringContaining('a defect')]);
    defective = false;
    await until(() => pods() === 'a,b');
    await until(() => said.length > 1);
    expect(said.slice(1)).toEqual(['recovered']);
  },
);
