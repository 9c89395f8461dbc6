// Where identity tokens come from: a file of the user's alone, GitLab's variable, GitHub's service.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  identityTokenSource,
  type TokenSourceOptions,
} from '../../../../src/signing/keyless/token-source.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { identityToken, startSigstore, type TestSigstore } from '../../../support/sigstore.ts';

let sigstore: TestSigstore;
let directory: string;
beforeAll(async () => {
  sigstore = await startSigstore();
  directory = await mkdtemp(join(tmpdir(), 'trellis-token-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
});

const credential = 'credential-of-the-job-credential-of-the-job';

function source(changes: Partial<TokenSourceOptions>) {
  const transport = { sleep: async () => {} };
  return identityTokenSource({ env: {}, now: () => new Date(), transport, ...changes });
}

async function failure(changes: Partial<TokenSourceOptions>): Promise<string> {
  const error = await source(changes)().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'SigningError' });
  expect(inspect(error, { depth: Number.POSITIVE_INFINITY })).not.toContain(credential);
  return (error as Error).message;
}

async function tokenFile(text: string, mode = 0o600): Promise<string> {
  const path = join(directory, `token-${Math.random()}`);
  await writeFile(path, text, { mode });
  await chmod(path, mode);
  return path;
}

const githubEnv = () => ({
  ACTIONS_ID_TOKEN_REQUEST_URL: `${sigstore.url}/token?api-version=2`,
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: credential,
});

describe('a token comes from', () => {
  test('a file, whatever the environment holds', async () => {
    const file = await tokenFile(`${identityToken({ sub: 'file' })}\n`);
    const env = { SIGSTORE_ID_TOKEN: identityToken({ sub: 'environment' }) };
    expect((await source({ file, env })()).subject).toBe('file');
  });

  test('GitLab’s variable, before GitHub is asked', async () => {
    const before = sigstore.requests.length;
    const env = { ...githubEnv(), SIGSTORE_ID_TOKEN: identityToken({ sub: 'environment' }) };
    expect((await source({ env })()).subject).toBe('environment');
    expect(sigstore.requests).toHaveLength(before);
  });

  test('GitHub’s service, for the audience', async () => {
    const seen: unknown[] = [];
    sigstore.instead('/token', (_body, request, response) => {
      seen.push(request.url, request.headers.authorization);
      response.end(JSON.stringify({ value: identityToken({ sub: 'github', aud: 'ours' }), count: 1 }));
    });
    const token = await source({ env: githubEnv(), audience: 'ours' })();
    expect(token.subject).toBe('github');
    expect(seen).toEqual(['/token?api-version=2&audience=ours', `Bearer ${credential}`]);
  });
});

describe('there is no token', () => {
  test('where none is given, and the message says how to get one', async () => {
    for (const env of [
      {},
      { SIGSTORE_ID_TOKEN: '' },
      { ACTIONS_ID_TOKEN_REQUEST_URL: `${sigstore.url}/token` },
    ]) {
      const said = await failure({ env });
      for (const hint of ['id-token: write', 'SIGSTORE_ID_TOKEN', '--identity-token'])
        expect(said).toContain(hint);
    }
  });

  test.each([0o640, 0o604, 0o644, 0o660])('in a file that others may read (%o)', async (mode) => {
    const said = await failure({ file: await tokenFile(identityToken(), mode) });
    expect(said).toMatch(/others may read .*chmod 600/);
  });

  test('in a file that is missing, empty or too long', async () => {
    expect(await failure({ file: join(directory, 'missing') })).toMatch(/ENOENT/);
    expect(await failure({ file: directory })).toMatch(/others may read|EISDIR/);
    expect(await failure({ file: await tokenFile('') })).toMatch(/not a JSON web token/);
    expect(await failure({ file: await tokenFile(`${identityToken()}${'x'.repeat(20_000)}`) })).toMatch(
      /longer/,
    );
  });

  test('that is checked before it is used', async () => {
    expect(await failure({ env: { SIGSTORE_ID_TOKEN: identityToken({ aud: 'other' }) } })).toMatch(
      /claim aud/,
    );
  });

  test.each([
    ['refuses', 403, '{"message":"no"}', /status 403: no/],
    ['answers with no JSON', 200, 'hello', /not JSON/],
    ['answers without one', 200, '{}', /without a token/],
    ['repeats the credential', 401, `{"message":"bad ${credential}"}`, /status 401$/],
  ])('when GitHub’s service %s', async (_name, status, answer, reason) => {
    sigstore.instead('/token', (_body, _request, response) => {
      response.writeHead(status);
      response.end(answer);
    });
    expect(await failure({ env: githubEnv() })).toMatch(reason);
  });

  test('when the address of GitHub’s service is not safe', async () => {
    const env = { ...githubEnv(), ACTIONS_ID_TOKEN_REQUEST_URL: 'http://token.example/' };
    expect(await failure({ env })).toMatch(/ACTIONS_ID_TOKEN_REQUEST_URL must be an https/);
  });
});
