// Path globs, matched as slowly and obviously as can be: what the compilers of globs are compared with.

/** `*` is any part of a segment, `**` any number of segments; neither stands for a `;`. The query does not count. */
export function globMatches(glob: string, pathAndQuery: string): boolean {
  const [path = ''] = pathAndQuery.split('?');
  if (path !== '' && !path.startsWith('/')) return false;
  return segmentsMatch(glob.split('/').slice(1), path.split('/').slice(1));
}

function segmentsMatch(glob: readonly string[], path: readonly string[]): boolean {
  const [wanted, ...others] = glob;
  const [segment, ...rest] = path;
  if (wanted === undefined) return segment === undefined;
  if (wanted === '**') {
    // At the end it takes whatever is left, empty segments too; in between only whole segments.
    if (others.length === 0) return path.every((each) => !each.includes(';'));
    const takesNone = segmentsMatch(others, path);
    return (
      takesNone ||
      (segment !== undefined && segment !== '' && !segment.includes(';') && segmentsMatch(glob, rest))
    );
  }
  return segment !== undefined && textMatches(wanted, segment) && segmentsMatch(others, rest);
}

function textMatches(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  if (glob.startsWith('*')) {
    const takesNone = textMatches(glob.slice(1), text);
    return takesNone || (text !== '' && !text.startsWith(';') && textMatches(glob, text.slice(1)));
  }
  return glob[0] === text[0] && textMatches(glob.slice(1), text.slice(1));
}
