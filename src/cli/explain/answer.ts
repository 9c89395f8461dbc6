// The command's work: reads what it needs, finds what is meant, asks for the explanation.

import { explain } from '../../explain/explain.ts';
import type { ExplainedToken, Explanation } from '../../explain/explanation.ts';
import type { AskedRequest } from '../../explain/request.ts';
import type { TokenKeys } from '../../identity/tokens/token-keys.ts';
import { verifyToken } from '../../identity/tokens/verify.ts';
import type { NamespacedName } from '../../model/mesh.ts';
import type { TokenVerifier } from '../../policy/authorize/token.ts';
import { CliError } from '../errors.ts';
import { type CalledName, findCalled, findCaller } from './find.ts';
import { loadMesh, loadTokenKeys, type MeshPlace } from './load.ts';

export interface AnswerOptions {
  readonly caller: NamespacedName;
  readonly called: CalledName;
  readonly port: number | undefined;
  readonly asked: AskedRequest;
  readonly place: MeshPlace;
  /** State directory of the control plane. */
  readonly state: string | undefined;
  readonly now: Date;
  readonly warn: (line: string) => void;
}

/** @throws CliError, IdentityError */
export async function answer(options: AnswerOptions): Promise<Explanation> {
  const { asked, place, now } = options;
  const state = await loadMesh(place, options.warn);
  const keys = options.state === undefined ? undefined : await loadTokenKeys(options.state);
  const verifier = tokenVerifier(keys, place.trustDomain, now);
  return explain({
    state,
    caller: findCaller(state, options.caller),
    called: findCalled(state, options.called, options.port),
    asked,
    token: asked.token === undefined ? undefined : explainedToken(asked.token, keys, place.trustDomain, now),
    verifyToken: verifier,
    now,
  });
}

function tokenVerifier(keys: TokenKeys | undefined, trustDomain: string, now: Date): TokenVerifier {
  return (token) => {
    if (keys === undefined) {
      throw new CliError(
        'ERR_USAGE',
        'a policy asks for a token, and there are no keys to verify this one with',
        {
          hint: 'add --state with the state directory of the control plane',
        },
      );
    }
    return verifyToken(token, keys, { trustDomain, now });
  };
}

function explainedToken(
  token: string,
  keys: TokenKeys | undefined,
  trustDomain: string,
  now: Date,
): ExplainedToken | undefined {
  if (keys === undefined) return undefined;
  const verdict = verifyToken(token, keys, { trustDomain, now });
  if (typeof verdict === 'string') return { valid: false, failure: verdict };
  const { type, subject, audience, expiresAt } = verdict;
  return { valid: true, type, subject, audience, expiresAt: expiresAt.toISOString() };
}
