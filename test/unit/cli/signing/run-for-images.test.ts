import { Command } from 'commander';
import { expect, test } from 'vitest';
import { CliError } from '../../../../src/cli/errors.ts';
import { type ImagesRun, parseReferences, runForImages } from '../../../../src/cli/signing/run-for-images.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';

interface Answer {
  readonly ok: boolean;
  readonly tag: string | undefined;
}

/** Images tagged `no` are refused, images tagged `away` could not be asked. */
async function run(images: readonly string[], options: ImagesRun<Answer>['options'] = {}) {
  let [stdout, stderr] = ['', ''];
  const command = new Command().configureOutput({
    writeOut: (text) => {
      stdout += text;
    },
    writeErr: (text) => {
      stderr += text;
    },
  });
  const error = await runForImages<Answer>(
    {
      references: parseReferences(images),
      options,
      doing: 'asking',
      work: async ({ tag }) => {
        if (tag === 'away') throw new RegistryError('ERR_REGISTRY_UNREACHABLE', 'it is away');
        if (tag === 'gone') throw new RegistryError('ERR_REGISTRY_NOT_FOUND', 'no such tag');
        if (tag === 'hostile') throw new RegistryError('ERR_REGISTRY_DENIED', 'says \u009b2J\u202e');
        return { ok: tag !== 'no', tag };
      },
      isGood: ({ ok }) => ok,
      render: ({ tag }) => `answer ${tag}`,
      json: (answer, image) => ({ image, ...answer }),
      document: { signers: [] },
      no: { one: 'one: no', several: 'several: no' },
    },
    command,
  ).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { stdout, stderr, error };
}

test('an image that is given twice is one image', async () => {
  const { stdout, stderr } = await run(['r.example/a:1', 'r.example/a:1']);
  expect(stdout).toBe('answer 1\n');
  expect(stderr).toBe('');
});

test('several images: every outcome is told, the failed ones too, and the progress reaches its end', async () => {
  const { stdout, stderr, error } = await run(['r.example/a:1', 'r.example/a:away', 'r.example/a:1']);
  expect(stdout).toBe('answer 1\nFAILED  r.example/a:away: it is away\n');
  expect(stderr).toContain('[2/2]');
  expect(error).toMatchObject({ code: 'ERR_REGISTRY_UNREACHABLE' });
});

test('the only image’s error is the command’s, and not told twice', async () => {
  const { stdout, error } = await run(['r.example/a:away']);
  expect(stdout).toBe('');
  expect(error).toMatchObject({ code: 'ERR_REGISTRY_UNREACHABLE' });
});

test('an image that is not there is no reason to try again: what to look at is said', async () => {
  const hint = expect.stringMatching(/^registries also say this .*--docker-config/);
  const one = await run(['r.example/a:gone']);
  expect(one.error).toMatchObject({ code: 'ERR_NOT_ASKED', message: 'no such tag', hint });
  const two = await run(['r.example/a:1', 'r.example/a:gone']);
  expect(two.stdout).toMatch(/^FAILED {2}r\.example\/a:gone: no such tag; registries also say this/m);
  expect(two.error).toMatchObject({ code: 'ERR_NOT_ASKED', hint });
  expect(JSON.parse((await run(['r.example/a:gone'], { json: true })).stdout)).toMatchObject({
    images: [{ error: { code: 'ERR_REGISTRY_NOT_FOUND' } }],
  });
});

test('a "no" ends the command, in the words for one image or several', async () => {
  expect((await run(['r.example/a:no'])).error).toEqual(new CliError('ERR_CHECK_FAILED', 'one: no'));
  const several = await run(['r.example/a:away', 'r.example/a:no']);
  expect(several.error).toEqual(new CliError('ERR_CHECK_FAILED', 'several: no'));
});

test.each<[readonly string[], boolean]>([
  [['1', '2'], true],
  [['1', 'no'], false],
  [['1', 'away'], false],
])('one document, which is ok when all images are: %s', async (tags, ok) => {
  const { stdout } = await run(
    tags.map((tag) => `r.example/a:${tag}`),
    { json: true },
  );
  expect(JSON.parse(stdout)).toEqual({
    ok,
    images: tags.map((tag) =>
      tag === 'away'
        ? {
            image: 'r.example/a:away',
            ok: false,
            error: { code: 'ERR_REGISTRY_UNREACHABLE', message: 'it is away' },
          }
        : { image: `r.example/a:${tag}`, ok: tag !== 'no', tag },
    ),
    signers: [],
  });
});

test('a reference that is none is found before anything is done', () => {
  expect(() => parseReferences(['r.example/a:1', 'r.example/UPPER'])).toThrow(/UPPER/);
});

test('what a registry says cannot act on the terminal, in a line or in the document', async () => {
  const images = ['r.example/a:1', 'r.example/a:hostile'];
  expect((await run(images)).stdout).toContain('says \\u009b2J\\u202e');
  const { stdout } = await run(images, { json: true });
  expect(stdout).not.toMatch(/[\u009b\u202e]/);
  expect(JSON.parse(stdout)).toMatchObject({ images: [{}, { error: { message: 'says \u009b2J\u202e' } }] });
});
