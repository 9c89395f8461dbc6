// The WWW-Authenticate header (RFC 9110 §11.6.1): what a registry asks for.

import { RegistryError } from '../errors.ts';

export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer';
      /** As found: where tokens are given out. */
      readonly realm: string;
      readonly service: string | undefined;
    };

const token = String.raw`[A-Za-z0-9!#$%&'*+.^_\`|~-]+`;
// A parameter, or the name of a scheme, or what stands between them.
const lexeme = new RegExp(
  String.raw`(?<name>${token})[ \t]*=[ \t]*(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<plain>${token}))|(?<scheme>${token})|[ \t,]+`,
  'y',
);

/** Longer ones are no challenge: matching is linear, and still bounded. */
const maxHeaderChars = 8 * 1024;

/**
 * The challenge that is answered: Bearer before Basic, because a token is worth less than a password.
 * @throws RegistryError ERR_REGISTRY_UNAUTHORIZED when there is none that we know
 */
export function chooseChallenge(header: string | undefined, host: string): Challenge {
  const schemes = parseSchemes((header ?? '').slice(0, maxHeaderChars));
  const bearer = schemes.find(({ name }) => name === 'bearer');
  const realm = bearer?.parameters.get('realm');
  if (bearer !== undefined && realm !== undefined) {
    const { parameters } = bearer;
    return { scheme: 'bearer', realm, service: parameters.get('service') };
  }
  if (schemes.some(({ name }) => name === 'basic')) return { scheme: 'basic' };
  throw new RegistryError(
    'ERR_REGISTRY_UNAUTHORIZED',
    `${host} asks for authentication in no way that is known here: Bearer with a realm, and Basic, are`,
    { status: 401 },
  );
}

interface Scheme {
  readonly name: string;
  readonly parameters: Map<string, string>;
}

/** What cannot be read ends the list. */
function parseSchemes(header: string): readonly Scheme[] {
  const schemes: Scheme[] = [];
  lexeme.lastIndex = 0;
  while (lexeme.lastIndex < header.length) {
    const groups = lexeme.exec(header)?.groups;
    if (groups === undefined) return schemes;
    const { name, quoted, plain, scheme } = groups;
    if (scheme !== undefined) schemes.push({ name: scheme.toLowerCase(), parameters: new Map() });
    if (name === undefined) continue;
    const parameters = schemes.at(-1)?.parameters;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '';
    // The first one counts.
    if (parameters !== undefined && !parameters.has(name.toLowerCase())) {
      parameters.set(name.toLowerCase(), value);
    }
  }
  return schemes;
}
