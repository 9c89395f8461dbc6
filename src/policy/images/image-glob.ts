// Globs over image names. The same language as that of paths in authorization rules, over registry and repository in place of
// a path: `*` stands for anything within one segment, `**` for any number of whole segments, none included.

import { compilePathGlobs } from '../authorize/path-matcher.ts';

/** Matches `registry/repository` as references are normalised: in lower case, with docker.io/library written out. */
export type ImageMatcher = (name: string) => boolean;

/** The port that a name without one means. */
const impliedPort = /:443(?=\/|$)/;

/** Matches what one of the globs matches, in time that grows with the length of the name times that of the globs. */
export function compileImageGlobs(globs: readonly string[]): ImageMatcher {
  const matches = compilePathGlobs(globs.map((glob) => `/${glob}`));
  return (name) => {
    const segments = oneSpelling(name).split('/');
    return matches({ pathname: `/${segments.join('/')}`, segments });
  };
}

/** registry.example:443/a is where registry.example/a is: a rule about the one must not be got around by writing the other. */
function oneSpelling(name: string): string {
  const [registry = ''] = name.split('/', 1);
  return registry.replace(impliedPort, '') + name.slice(registry.length);
}

const dockerHub = 'docker.io';
/** Names of it that no normalised reference has. */
const dockerHubAliases: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

// The grammar of the distribution project's reference package. Each repetition begins with a character that ends the one before.
const hostname = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?$/;
const component = /^[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*$/;

/**
 * Why a glob that the schema lets through can match no image at all, in words for its author; undefined: it can. Whoever takes it
 * would find out when an image that it was to let in, or to keep out, is handled by another rule.
 */
export function neverMatches(glob: string): string | undefined {
  const [registry = '', ...path] = glob.split('/');
  const problem = registry.includes('*') ? undefined : registryProblem(registry, path);
  if (problem !== undefined) return problem;
  const impossible = path.find((segment) => !isPossible(segment));
  return impossible === undefined
    ? undefined
    : `no repository has a part ${JSON.stringify(impossible)}: parts are letters and digits with single . _ or - between them`;
}

function registryProblem(registry: string, path: readonly string[]): string | undefined {
  if (!hostname.test(registry)) return `${JSON.stringify(registry)} is no name of a registry`;
  const rest = path.join('/');
  if (dockerHubAliases.has(registry))
    return `${registry} is known as ${dockerHub}; write ${dockerHub}/${rest}`;
  if (impliedPort.test(registry)) {
    return `port 443 is left out of image names; write ${registry.replace(impliedPort, '')}/${rest}`;
  }
  if (registry === dockerHub && path.length === 1 && rest !== '**') {
    return `images of ${dockerHub} have a namespace; write ${dockerHub}/library/${rest}, or ${dockerHub}/**`;
  }
  return undefined;
}

function isPossible(segment: string): boolean {
  return segment.includes('*') ? !/^[._-]|[._-]$/.test(segment) : component.test(segment);
}
