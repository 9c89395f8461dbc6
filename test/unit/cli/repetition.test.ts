import { Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { main } from '../../../src/cli/main.ts';
import { refuseRepetition } from '../../../src/cli/repetition.ts';

function program() {
  const top = new Command('top').exitOverride();
  const command = top
    .command('go')
    .option('--one <value>')
    .addOption(new Option('-d, --duration <value>').argParser((text: string) => text.length))
    .option('--many <value>', '', (text: string, before: readonly string[]) => [...before, text], [])
    .option('--rest <values...>')
    .option('--flag')
    .action(() => undefined);
  refuseRepetition(top);
  return {
    run: (...words: readonly string[]) => top.parseAsync(['go', ...words], { from: 'user' }),
    command,
  };
}

test.each([[['--one', 'a', '--one', 'b']], [['--one=a', '--one=a']], [['-d', 'a', '--duration', 'b']]])(
  'an option that keeps one value is refused the second time: %s',
  async (words) => {
    await expect(program().run(...words)).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining('twice'),
    });
  },
);

test.each([
  [['--many', 'a', '--many', 'b']],
  [['--rest', 'a', 'b']],
  [['--flag', '--flag']],
  [['--one', 'a', '-d', 'b', '--many', 'c']],
])('what keeps all of its values, or has none, may come again: %s', async (words) => {
  await expect(program().run(...words)).resolves.toBeDefined();
});

describe('of trellis', () => {
  test.each([
    [['verify', '--policy', 'a', '--policy', 'b', 'image']],
    [['verify-attestation', '--type', 'spdx', '--condition', 'false', '--condition', 'true', 'image']],
    [['attest', '--type', 'spdx', '--predicate', 'a', '--predicate', 'b', 'image']],
  ])('%s', async (words) => {
    let stderr = '';
    const streams = { stdout: () => undefined, stderr: (text: string) => (stderr += text) };
    expect(await main(words, streams)).toBe(2);
    expect(stderr).toContain('is given twice');
  });

  test('every option that says it can be given again can', async () => {
    for (const words of [
      [
        'verify-blob',
        '--bundle',
        '/nowhere/a',
        '--bundle',
        '/nowhere/b',
        '--key',
        '/nowhere/k',
        '/nowhere/c',
      ],
      ['explain', 'a/b', 'c/d', '--header', 'a: b', '--header', 'c: d', '--manifests', '/nowhere'],
      ['sign', '--key', 'missing', '--key', 'b', '-a', 'x=1', '-a', 'y=2', 'registry.example/a'],
      [
        'keygen',
        '--algorithm',
        'ML-DSA-65',
        '--algorithm',
        'ECDSA-P256',
        '--out-prefix',
        '/nowhere/a',
        '--password-file',
        '/nowhere/b',
      ],
      [
        'verify',
        '--registry-ca',
        '/nowhere/a',
        '--registry-ca',
        '/nowhere/b',
        '--plain-http',
        'a',
        '--plain-http',
        'b',
        '--key',
        '/nowhere/k',
        'registry.example/a',
      ],
    ]) {
      let stderr = '';
      await main(words, { stdout: () => undefined, stderr: (text: string) => (stderr += text) });
      expect(stderr).not.toContain('given twice');
    }
  });
});
