// Path globs, matched. The same language as pathGlobToRegex, which Envoy is given; but a backtracking regular expression
// with a few `**` takes seconds for a path made to hurt it, and every caller may choose the path. Here the time grows with
// the length of the path times that of the glob, no faster.

import type { DecidedRequest } from './request.ts';

/** The part of a request that globs are about. */
export type RequestPath = Pick<DecidedRequest, 'pathname' | 'segments'>;

export type PathMatcher = (path: RequestPath) => boolean;

/** Matches what one of the globs matches. */
export function compilePathGlobs(globs: readonly string[]): PathMatcher {
  const matchers = globs.map(compilePathGlob);
  const [first, second] = matchers;
  if (first !== undefined && second === undefined) return first;
  return (path) => matchers.some((matches) => matches(path));
}

/** Matches the paths that pathGlobToRegex matches, their query aside. */
export function compilePathGlob(glob: string): PathMatcher {
  const pattern = glob.split('/').slice(1);
  const tail = pattern.at(-1) === '**';
  const body = tail ? pattern.slice(0, -1) : pattern;
  if (body.some((segment) => segment.includes('*'))) return generalMatcher(body, tail);
  const literal = body.map((segment) => `/${segment}`).join('');
  if (!tail) return ({ pathname }) => pathname === literal;
  const below = `${literal}/`;
  return ({ pathname }) =>
    pathname === literal || (pathname.startsWith(below) && !pathname.includes(';', literal.length));
}

/** Any number of whole segments. */
const anySegments: unique symbol = Symbol('**');

type SegmentMatcher = (segment: string) => boolean;
type Step = SegmentMatcher | typeof anySegments;

/**
 * Follows all ways to match at once: after each segment of the path, the set of positions in the pattern that can be
 * reached. Greedy matching would do for stars that stand for anything, but `**` stands for no empty segment and `*` does.
 */
function generalMatcher(body: readonly string[], tail: boolean): PathMatcher {
  const steps = body.map((segment) => (segment === '**' ? anySegments : segmentMatcher(segment)));
  const end = steps.length;
  return ({ pathname, segments }) => {
    if (pathname !== '' && !pathname.startsWith('/')) return false;
    // Behind the last segment with a `;` a closing `**` may take over.
    const clean = tail ? segments.findLastIndex((segment) => segment.includes(';')) + 1 : segments.length;
    let positions = new Uint8Array(end + 1);
    let next = new Uint8Array(end + 1);
    reach(steps, positions, 0);
    for (const [index, segment] of segments.entries()) {
      if (index >= clean && positions[end] === 1) return true;
      if (!advance(steps, positions, segment, next)) return false;
      [positions, next] = [next, positions];
      next.fill(0);
    }
    return positions[end] === 1;
  };
}

/** A position before `**` is one behind it too. */
function reach(steps: readonly Step[], positions: Uint8Array, position: number): void {
  let at = position;
  positions[at] = 1;
  while (steps[at] === anySegments) {
    at += 1;
    positions[at] = 1;
  }
}

/** Marks in `next` where the pattern can be after one more segment; false: nowhere. */
function advance(steps: readonly Step[], positions: Uint8Array, segment: string, next: Uint8Array): boolean {
  const wild = segment !== '' && !segment.includes(';');
  let alive = false;
  for (const [at, step] of steps.entries()) {
    if (positions[at] === 0) continue;
    const matches = step === anySegments ? wild : step(segment);
    if (!matches) continue;
    reach(steps, next, step === anySegments ? at : at + 1);
    alive = true;
  }
  return alive;
}

function segmentMatcher(glob: string): SegmentMatcher {
  const pieces = glob.split('*');
  if (pieces.length === 1) return (segment) => segment === glob;
  const head = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  const middle = pieces.slice(1, -1);
  return (segment) => {
    if (!segment.startsWith(head)) return false;
    let at = head.length;
    for (const piece of middle) {
      // The first occurrence is as good as any: a star that could not end there could not go on past it either.
      const found = segment.indexOf(piece, at);
      if (found === -1 || !isWild(segment, at, found)) return false;
      at = found + piece.length;
    }
    const end = segment.length - last.length;
    return end >= at && segment.endsWith(last) && isWild(segment, at, end);
  };
}

/** Whether `*` may stand for this part of a segment. */
function isWild(segment: string, start: number, end: number): boolean {
  const semicolon = segment.indexOf(';', start);
  return semicolon === -1 || semicolon >= end;
}
