import { describe, expect, test } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { main } from '../../../src/cli/main.ts';

async function trellis(...argv: string[]) {
  let [stdout, stderr] = ['', ''];
  const exitCode = await main(argv, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { exitCode, stdout, stderr };
}

describe('trellis version', () => {
  test('--json prints one object with what this Node can do', async () => {
    const { exitCode, stdout, stderr } = await trellis('version', '--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      version: manifest.version,
      node: process.versions.node,
      openssl: process.versions.openssl,
      mlKem: true,
      mlDsa: true,
    });
  });

  test('prints the same for people', async () => {
    const { stdout } = await trellis('version');
    expect(stdout).toContain(`trellis ${manifest.version}\n`);
    expect(stdout).toContain('ML-KEM yes, ML-DSA yes');
  });
});

describe('the command line', () => {
  test('--help lists the commands and the exit codes on standard output', async () => {
    const { exitCode, stdout, stderr } = await trellis('--help');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^ {2}version /m);
    expect(stdout).toMatch(/^ +78 {2}/m);
  });

  test.each([
    [['no-such-command'], /unknown command 'no-such-command'/],
    [['version', '--no-such-option'], /unknown option '--no-such-option'/],
    [['version', 'surplus'], /too many arguments/],
    [[], /Usage: trellis/],
  ])('%j is a usage error: 2, and nothing on standard output', async (argv, message) => {
    const { exitCode, stdout, stderr } = await trellis(...argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
