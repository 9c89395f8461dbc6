// docker-credential-<name>: a program that knows credentials, asked by the protocol of docker-credential-helpers.

import { spawn } from 'node:child_process';
import { RegistryError } from '../errors.ts';
import { isJsonObject, parseStrictJson } from '../strict-json.ts';
import type { Credentials } from './credentials.ts';

/** No path, no option: the name becomes part of a program's name. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Helpers of clouds ask their metadata service first. */
const timeoutMs = 30_000;
const maxOutputBytes = 64 * 1024;

/** Of key files. */
const passwordVariables: ReadonlySet<string> = new Set(['TRELLIS_PASSWORD', 'COSIGN_PASSWORD']);

/** In the PEM of every kind of private key, encrypted ones too (`--key env://NAME`). */
const privateKeyMark = 'PRIVATE KEY-----';

/** By convention, the user name of an identity token. */
const tokenUser = '<token>';

/** The words of docker-credential-helpers for "I know nothing about that registry". */
const notFound = 'credentials not found in native keychain';

/** @returns undefined when the helper has none @throws RegistryError ERR_REGISTRY_CONFIGURATION, which never quotes the helper */
export async function askHelper(
  name: string,
  server: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Credentials | undefined> {
  if (!namePattern.test(name)) throw failed(name, 'that is no name of a credential helper');
  const program = `docker-credential-${name}`;
  const { status, output } = await run(program, server, env, signal);
  const text = output.toString('utf8').trim();
  if (status !== 0 && text === notFound) return undefined;
  if (status !== 0) throw failed(program, `it ended with code ${status}`);
  return parse(program, output);
}

function parse(program: string, output: Uint8Array): Credentials | undefined {
  let answer: unknown;
  try {
    answer = parseStrictJson(output, { maxBytes: maxOutputBytes, maxDepth: 4 });
  } catch {
    throw failed(program, 'its answer is no JSON');
  }
  const { Username: username, Secret: secret } = isJsonObject(answer) ? answer : {};
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw failed(program, 'its answer has no Username and Secret');
  }
  if (username === tokenUser) return { kind: 'identity-token', token: secret };
  if (username === '' && secret === '') return undefined;
  return { kind: 'password', username, password: secret };
}

interface Finished {
  readonly status: number | null;
  readonly output: Buffer;
}

async function run(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Finished> {
  signal?.throwIfAborted();
  const finished = Promise.withResolvers<Finished>();
  const child = spawn(program, ['get'], { env: withoutSecrets(env), stdio: ['pipe', 'pipe', 'ignore'] });
  const giveUp = (error: unknown): void => {
    child.kill('SIGKILL');
    // A grandchild may hold the pipe open for ever.
    child.stdout.destroy();
    finished.reject(error);
  };
  const timer = setTimeout(() => giveUp(failed(program, 'it takes too long')), timeoutMs);
  const abort = (): void => giveUp(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const pieces: Buffer[] = [];
  let bytes = 0;
  child.stdout.on('data', (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.byteLength;
    if (bytes > maxOutputBytes) giveUp(failed(program, 'it answers too much'));
  });
  child.on('error', () => giveUp(failed(program, 'it cannot be started: is it on PATH?')));
  child.on('close', (status) => finished.resolve({ status, output: Buffer.concat(pieces) }));
  // It may end without reading.
  child.stdin.on('error', () => {});
  child.stdin.end(`${input}\n`);
  try {
    return await finished.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** Of signing, which are nobody's business here. Helpers of clouds need the rest: regions, proxies, tokens of the machine. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) => !passwordVariables.has(name) && value?.includes(privateKeyMark) !== true,
    ),
  );
}

function failed(program: string, reason: string): RegistryError {
  return new RegistryError('ERR_REGISTRY_CONFIGURATION', `credential helper ${program}: ${reason}`);
}
