// Path patterns of authorization rules.

/** Characters with a meaning in RE2 (and in every regular expression syntax near it). */
const special = /[\\^$.*+?()[\]{}|/]/g;

/**
 * Translates a path glob into an RE2 expression that must match the whole `:path` pseudo-header.
 *
 * `*` stands for any characters within one segment, `**` (a segment of its own) for any number of segments, none
 * included: `/orders/**` covers `/orders` and everything below it. The query, which `:path` includes, never takes part.
 *
 * A wildcard never stands for `;`: servers that know path parameters read `/orders/..;/admin` as `/admin`, which no
 * normalization of a proxy's sees. A path with one is allowed only by a glob that writes it.
 */
export function pathGlobToRegex(glob: string): string {
  const segments = glob.split('/').slice(1);
  const parts = segments.map((segment, index) => {
    if (segment !== '**') return `/${escapeSegment(segment)}`;
    return index === segments.length - 1 ? '(/[^?;]*)?' : '(/[^/?;]+)*';
  });
  return `${parts.join('')}(\\?.*)?`;
}

function escapeSegment(segment: string): string {
  return segment
    .split('*')
    .map((literal) => literal.replace(special, '\\$&'))
    .join('[^/?;]*');
}
