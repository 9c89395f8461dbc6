import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type PasswordOptions, passwordSource } from '../../../src/cli/password.ts';
import { temporaryDirectory } from '../../support/control-plane.ts';

/** What a prompt writes when it begins: the cursor is hidden. */
const promptBegins = '\u001b[?25l';

interface Asked {
  readonly password: () => Promise<string>;
  readonly warnings: string[];
  readonly screen: () => string;
  readonly input: PassThrough;
}

/** With somebody at a terminal who types one line for each question, or with nobody there. */
function source(options: Partial<PasswordOptions>, lines?: readonly string[]): Asked {
  const warnings: string[] = [];
  const [input, output] = [new PassThrough(), new PassThrough()];
  let screen = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    const line = lines?.[screen.split(promptBegins).length - 2];
    if (text.includes(promptBegins) && line !== undefined) setImmediate(() => input.write(line));
  });
  const password = passwordSource({
    confirm: false,
    env: {},
    terminal: lines === undefined ? undefined : { input, output },
    warn: (line) => warnings.push(line),
    ...options,
  });
  return { password, warnings, screen: () => screen, input };
}

async function passwordFile(content: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'password');
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

describe('comes from', () => {
  test('the environment: our variable before that of cosign', async () => {
    const both = { TRELLIS_PASSWORD: 'ours', COSIGN_PASSWORD: 'theirs' };
    expect(await source({ env: both }).password()).toBe('ours');
    expect(await source({ env: { COSIGN_PASSWORD: 'theirs' } }).password()).toBe('theirs');
  });

  test('a file before the environment', async () => {
    const file = await passwordFile('from the file\n');
    expect(await source({ file, env: { TRELLIS_PASSWORD: 'x' } }).password()).toBe('from the file');
  });

  test('whoever sits at the terminal, who does not see it', async () => {
    const { password, screen } = source({}, ['secret\r']);
    expect(await password()).toBe('secret');
    expect(screen()).toMatch(/Password of the private key/);
    expect(screen()).not.toContain('secret');
  });

  test('one question, however often it is needed', async () => {
    const { password } = source({}, ['secret\r', 'another\r']);
    expect(await Promise.all([password(), password()])).toEqual(['secret', 'secret']);
    expect(await password()).toBe('secret');
  });
});

describe('for a new key', () => {
  test('is asked for twice', async () => {
    const { password, screen } = source({ confirm: true }, ['secret\r', 'secret\r']);
    expect(await password()).toBe('secret');
    expect(screen()).toMatch(/new private key[\s\S]*The same password again/);
  });

  test('is asked for again when the two differ', async () => {
    const { password, screen } = source({ confirm: true }, ['secret\r', 'sceret\r', 'secret\r', 'secret\r']);
    expect(await password()).toBe('secret');
    expect(screen()).toContain('They differ');
  });

  test('is given up after three times', async () => {
    const { password } = source({ confirm: true }, ['a\r', 'b\r', 'a\r', 'b\r', 'a\r', 'b\r', 'a\r', 'a\r']);
    await expect(password()).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: 'the two passwords differ',
    });
  });
});

describe('is missing', () => {
  test('when nobody is there to be asked', async () => {
    await expect(source({}).password()).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining('no terminal'),
      hint: 'set TRELLIS_PASSWORD, or give --password-file FILE',
    });
  });

  test('when whoever is asked ends it', async () => {
    await expect(source({}, ['\u0003']).password()).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: 'no password was given',
    });
  });

  test('when the input ends, as by Ctrl-D', async () => {
    const { password, input } = source({}, []);
    setTimeout(() => input.end(), 20);
    await expect(password()).rejects.toMatchObject({ code: 'ERR_USAGE', message: 'no password was given' });
  });

  test('in a file that others can read, or that is empty', async () => {
    const open = await passwordFile('secret');
    await chmod(open, 0o644);
    await expect(source({ file: open }).password()).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(`run chmod 600 ${open}`),
    });
    const empty = await passwordFile('\n');
    await expect(source({ file: empty }).password()).rejects.toMatchObject({ code: 'ERR_USAGE' });
  });
});

describe('that is empty', () => {
  test('is taken, and warned of, as it is no protection', async () => {
    const variable = source({ confirm: true, env: { COSIGN_PASSWORD: '' } });
    expect(await variable.password()).toBe('');
    expect(variable.warnings).toEqual([expect.stringMatching(/whoever reads the key file has the key/)]);
    const typed = source({ confirm: true }, ['\r', '\r']);
    expect(await typed.password()).toBe('');
    expect(typed.warnings).toHaveLength(1);
  });

  test('in our variable is no reason to take that of cosign', async () => {
    const { password } = source({ env: { TRELLIS_PASSWORD: '', COSIGN_PASSWORD: 'theirs' } });
    expect(await password()).toBe('');
  });

  test('nothing else is warned of', async () => {
    const { password, warnings } = source({ confirm: true, env: { TRELLIS_PASSWORD: 'x' } });
    await password();
    expect(warnings).toEqual([]);
  });
});
