// The password of private key files: from the environment, a file, or whoever sits at the terminal; never from the
// command line, which other users can read.

import type { Readable, Writable } from 'node:stream';
import { CliError } from './errors.ts';
import { readSecret } from './secret-input.ts';

/** In this order; the second is cosign's, so that a job which signs with cosign signs with trellis too. */
const variables = ['TRELLIS_PASSWORD', 'COSIGN_PASSWORD'] as const;

/** Times that two differing passwords are asked for again. */
const maxAttempts = 3;

export interface PasswordOptions {
  /** `--password-file`; `-` is standard input. Goes before everything else. */
  readonly file?: string | undefined;
  /** Asks twice: a key is made, and a typo would lock it for ever. */
  readonly confirm: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** Where to ask; undefined when nobody is there. */
  readonly terminal?: Terminal | undefined;
  readonly warn?: (line: string) => void;
}

export interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
}

/**
 * Gives the password when it is first needed, and the same one from then on.
 * @throws CliError ERR_USAGE when nobody can be asked, or the file cannot be used
 */
export function passwordSource(options: PasswordOptions): () => Promise<string> {
  let password: Promise<string> | undefined;
  return () => {
    password ??= find(options);
    return password;
  };
}

async function find(options: PasswordOptions): Promise<string> {
  const { file, env = process.env, warn = warnOnStderr } = options;
  if (file !== undefined) return await readSecret(file, { what: 'the password file', fault: 'ERR_USAGE' });
  const password = fromEnvironment(env) ?? (await ask(options));
  if (password === '') {
    warn(
      options.confirm
        ? 'warning: the password is empty: whoever reads the key file has the key'
        : 'warning: the password is empty',
    );
  }
  return password;
}

/** A variable that is set to nothing is cosign's way to say: no password. */
function fromEnvironment(env: NodeJS.ProcessEnv): string | undefined {
  return variables.map((name) => env[name]).find((value) => value !== undefined);
}

async function ask(options: PasswordOptions): Promise<string> {
  const terminal = 'terminal' in options ? options.terminal : processTerminal();
  if (terminal === undefined) {
    throw new CliError('ERR_USAGE', 'the key file needs a password, and there is no terminal to ask for it', {
      hint: `set ${variables[0]}, or give --password-file FILE`,
    });
  }
  if (!options.confirm) return await prompt('Password of the private key', terminal);
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const first = await prompt(
      attempt === 1 ? 'Password for the new private key' : 'They differ. Password for the new private key',
      terminal,
    );
    if (first === (await prompt('The same password again', terminal))) return first;
  }
  throw new CliError('ERR_USAGE', 'the two passwords differ', {
    hint: `try again, or write the password into a file and give --password-file`,
  });
}

async function prompt(message: string, terminal: Terminal): Promise<string> {
  // Loaded when somebody is asked: most runs have no terminal.
  const { isCancel, password } = await import('@clack/prompts');
  // The end of the input (Ctrl-D, a terminal that is closed) is no answer; the library would wait for one for ever.
  const ended = new AbortController();
  const end = () => ended.abort();
  terminal.input.once('end', end).once('close', end);
  try {
    const answer = await password({ message, ...terminal, signal: ended.signal });
    if (isCancel(answer))
      throw new CliError('ERR_USAGE', 'no password was given', { hint: 'nothing was done' });
    return answer ?? '';
  } finally {
    terminal.input.off('end', end).off('close', end);
  }
}

/** Standard output carries results only. */
function processTerminal(): Terminal | undefined {
  return process.stdin.isTTY && process.stderr.isTTY
    ? { input: process.stdin, output: process.stderr }
    : undefined;
}

function warnOnStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}
