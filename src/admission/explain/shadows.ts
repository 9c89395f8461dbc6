// Rules about images that never decide: what they match is matched before.

import { compileImageGlobs } from '../../policy/images/image-glob.ts';

/**
 * The rules before `rules[index]` that together match whatever it matches, by their index; none: something may be left for it. Said
 * only where it is certain: what several globs cover between them goes unnoticed.
 */
export function shadowsOf(
  rules: readonly { readonly match: readonly string[] }[],
  index: number,
): readonly number[] {
  const before = rules.slice(0, index);
  const shadows = (rules[index]?.match ?? []).map((glob) =>
    before.findIndex(({ match }) => match.some((earlier) => covers(earlier, glob))),
  );
  return shadows.includes(-1) ? [] : [...new Set(shadows)].sort((a, b) => a - b);
}

const anyDepth = '/**';

/** Whether one glob matches everything that the other does. */
function covers(earlier: string, glob: string): boolean {
  if (earlier === '**' || earlier === glob) return true;
  // One that stands for itself alone is a name.
  if (!glob.includes('*')) return compileImageGlobs([earlier])(glob);
  return earlier.endsWith(anyDepth) && glob.startsWith(earlier.slice(0, -anyDepth.length + 1));
}
