// What takes something away waits until nobody writes any more; what does not, does not wait.

import { appendFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { policy } from '../../model/support.ts';
import { podYaml, replaceFile, temporaryDirectory, until, type Watched, watched } from './support.ts';

const never = 3_600_000;
/** Whatever waits for quiet does not happen; what happens all the same did not wait. */
const noQuiet = { pollMs: 5, lossSettleMs: never, unstableMs: 2 * never };
/** Longer than a busy machine may hold up the writer between two writes. */
const patient = { pollMs: 5, lossSettleMs: 2_000, unstableMs: never };
/** As little as lets through a torn write that nothing but the loss gives away. */
const hasty = { pollMs: 5, settleMs: 20, lossSettleMs: 0 };

const star = policy('{authorization: [{from: [{principals: ["*"]}]}]}', 'trading', 'star');
const strict = policy('{authorization: []}', 'trading', 'strict');
const policiesOf = (mesh: Watched) =>
  mesh.states.map(({ policies }) => [...policies.values()].map(({ name }) => name).join());

test('a writer that pauses between two documents never shows a state without the second', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'p.yaml');
  await writeFile(file, strict);
  const mesh = await watched(directory, patient);
  const torn = await watched(directory, hasty);
  await writeFile(file, `${star}---\n`);
  // Whoever does not wait has read the half of it by now.
  await until(() => policiesOf(torn).includes('star'));
  await appendFile(file, strict);
  await until(() => mesh.states.length > 0);
  expect(policiesOf(mesh)).toEqual(['star,strict']);
  // One warning for each policy that was ever in force, none for the half.
  expect(mesh.reports).toHaveLength(3);
});

test('a file that is deleted and then created never shows a state without its objects', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'a.yaml'), podYaml('a'));
  await writeFile(join(directory, 'b.yaml'), podYaml('b'));
  const mesh = await watched(directory, patient);
  const torn = await watched(directory, hasty);
  await unlink(join(directory, 'b.yaml'));
  await until(() => torn.pods().join() === 'a');
  await writeFile(join(directory, 'b.yaml'), `${podYaml('b')}---\n${podYaml('c')}`);
  await until(() => mesh.states.length > 0);
  expect(mesh.states.map(({ workloads }) => [...workloads.values()].map(({ name }) => name))).toEqual([
    ['a', 'b', 'c'],
  ]);
});

test('a file that ends in the middle of a line waits for its end', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'a.yaml');
  await writeFile(file, podYaml('a'));
  const mesh = await watched(directory, noQuiet);
  const torn = await watched(directory, hasty);
  const cut = `${podYaml('a')}---\nspec: {}\napiVersion: v1\nkind: Pod\nmetadata:\n  namespace: trading\n  name: gate`;
  await writeFile(file, cut);
  await until(() => torn.pods().includes('gate'));
  await appendFile(file, 'way\n');
  await until(() => mesh.states.length > 0);
  expect(mesh.pods()).toEqual(['a', 'gateway']);
  expect(mesh.states).toHaveLength(1);
});

test('what is really taken away is gone after the quiet time, also when the directory was read meanwhile', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'p.yaml'), strict);
  await writeFile(join(directory, 'a.yaml'), podYaml('a'));
  // Without polls: the watcher must come back by itself.
  const mesh = await watched(directory, { pollMs: never });
  await unlink(join(directory, 'p.yaml'));
  await until(() => mesh.current()?.policies.size === 0);
  expect(mesh.states).toHaveLength(1);
});

test('what only adds, alters, or allows less does not wait', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'p.yaml');
  await writeFile(file, star);
  const mesh = await watched(directory, noQuiet);
  for (const [round, text] of [
    star.replace('"*"', '"*", "spiffe://cluster.local/ns/trading/sa/a"'),
    star,
    star.replace('spec: {authorization: [', 'spec: {enforcement: audit, authorization: ['),
    `${star}---\n${podYaml('a')}`.replace('spec: {', 'spec: {enforcement: warn, '),
    `${star}---\n${podYaml('a')}`.replace(/spec: .*/, 'spec: {enforcement: enforce, authorization: []}'),
  ].entries()) {
    await replaceFile(file, text);
    await until(() => mesh.states.length === round + 1);
  }
  expect(mesh.current()?.policies.get('trading/star')?.spec.authorization).toEqual([]);
});

test('a mistake is told at once, though what is written takes something away as well', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, 'a.yaml');
  await writeFile(file, `${podYaml('a')}---\n${podYaml('b')}`);
  const mesh = await watched(directory, noQuiet);
  await replaceFile(file, podYaml('a').replace('spec:', 'spoc:'));
  await until(() => mesh.reports.length > 0);
  expect(mesh.reports[0]).toContain('spec: missing');
  expect(mesh.pods()).toEqual(['a', 'b']);
});

test('a loss in a directory that does not come to rest takes no effect, and that is said', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'p.yaml'), strict);
  await writeFile(join(directory, 'a.yaml'), podYaml('a'));
  const mesh = await watched(directory, { pollMs: 5, settleMs: 0, lossSettleMs: 1_000, unstableMs: 1_200 });
  await unlink(join(directory, 'p.yaml'));
  for (let line = 0; mesh.problems().length === 0; line++) {
    await replaceFile(join(directory, 'a.yaml'), `${podYaml('a')}# ${line}\n`);
    await sleep(20);
  }
  expect(mesh.problems()).toMatchObject([{ severity: 'error', code: 'UnstableFile' }]);
  expect(mesh.problems()[0]?.message).toContain('QuantumSecurityPolicy trading/strict is gone');
  expect(mesh.current()?.policies.size).toBe(1);
  await until(() => mesh.current()?.policies.size === 0);
  expect(mesh.reports.at(-1)).toBe('recovered');
});
