// Where an identity token comes from: a file, or the CI system that runs the job. Never the command line, which every
// process of the machine can read.

import { open } from 'node:fs/promises';
import { SigningError } from '../errors.ts';
import { jsonAnswer, malformed, send, serviceUrl, type Transport } from '../services/request.ts';
import { defaultAudience, type IdentityToken, maxTokenBytes, readIdentityToken } from './identity-token.ts';

/** Gives a token that is valid now. Called again when a certificate has run out. */
export type IdentityTokenSource = (signal?: AbortSignal) => Promise<IdentityToken>;

export interface TokenSourceOptions {
  /** A file with the token, readable by its owner alone. Wins over the environment. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly audience?: string | undefined;
  readonly now: () => Date;
  readonly transport?: Transport | undefined;
}

/** GitLab writes the token there (`id_tokens`), and cosign reads it there too. */
const tokenVariable = 'SIGSTORE_ID_TOKEN';
/** GitHub sets both where a workflow has `permissions: {id-token: write}`. */
const githubUrlVariable = 'ACTIONS_ID_TOKEN_REQUEST_URL';
const githubTokenVariable = 'ACTIONS_ID_TOKEN_REQUEST_TOKEN';

/**
 * The token of the file, of the environment (GitLab CI), or of GitHub Actions, in this order.
 * @throws SigningError ERR_IDENTITY_TOKEN (from the source) when there is none, with what to do
 */
export function identityTokenSource(options: TokenSourceOptions): IdentityTokenSource {
  const { audience = defaultAudience, now } = options;
  return async (signal) => {
    const { text, source } = await findToken(options, audience, signal);
    return readIdentityToken(text, { audience, now: now(), source });
  };
}

interface FoundToken {
  readonly text: string;
  readonly source: string;
}

async function findToken(
  { file, env, transport = {} }: TokenSourceOptions,
  audience: string,
  signal: AbortSignal | undefined,
): Promise<FoundToken> {
  if (file !== undefined) return { text: await readTokenFile(file), source: file };
  const given = env[tokenVariable];
  if (given !== undefined && given !== '') return { text: given, source: tokenVariable };
  const url = env[githubUrlVariable];
  const credential = env[githubTokenVariable];
  if (url !== undefined && url !== '' && credential !== undefined && credential !== '') {
    const text = await askGithub({ url, credential, audience }, transport, signal);
    return { text, source: 'GitHub Actions' };
  }
  throw new SigningError(
    'ERR_IDENTITY_TOKEN',
    'keyless signing needs an identity token and found none: in GitHub Actions give the job `permissions: {id-token: write}`; in GitLab CI add `id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}` to the job; elsewhere write the token into a file with mode 0600 and give --identity-token FILE',
  );
}

/** docs.github.com, "OpenID Connect": the audience is a query parameter, and the answer holds `value`. */
async function askGithub(
  { url, credential, audience }: { url: string; credential: string; audience: string },
  transport: Transport,
  signal: AbortSignal | undefined,
): Promise<string> {
  const service = 'the token service of GitHub Actions';
  const endpoint = serviceUrl(url, githubUrlVariable);
  endpoint.searchParams.set('audience', audience);
  const headers = { accept: 'application/json', authorization: `Bearer ${credential}` };
  const wanted = { service, url: endpoint, method: 'GET', headers, secret: credential } as const;
  const { value } = jsonAnswer(service, await send(wanted, [200], transport, signal));
  if (typeof value !== 'string') throw malformed(service, 'an answer without a token');
  return value;
}

const othersMask = 0o077;

async function readTokenFile(path: string): Promise<string> {
  try {
    const handle = await open(path, 'r');
    try {
      const { mode } = await handle.stat();
      if ((mode & othersMask) !== 0) {
        throw new SigningError(
          'ERR_IDENTITY_TOKEN',
          `others may read the identity token in ${path}; run chmod 600 on it, and consider the token lost if the machine is shared`,
        );
      }
      // One byte more than allowed, so that a longer file is refused and not cut.
      const buffer = Buffer.alloc(maxTokenBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
        length += bytesRead;
        if (bytesRead === 0 || length === buffer.length) return buffer.toString('utf8', 0, length);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof SigningError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SigningError('ERR_IDENTITY_TOKEN', `the identity token cannot be read: ${reason}`, error);
  }
}
