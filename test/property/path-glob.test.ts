// Path globs: what Envoy is given and what the agent runs match the same paths as the obvious matcher.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePathGlob } from '../../src/policy/authorize/path-matcher.ts';
import { pathGlobToRegex } from '../../src/policy/path-glob.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { globMatches } from '../support/glob.ts';

/** Envoy matches the whole `:path`. */
function envoyMatches(glob: string, path: string): boolean {
  return new RegExp(`^(?:${pathGlobToRegex(glob)})$`, 's').test(path);
}

function agentMatches(glob: string, path: string): boolean {
  const [pathname = ''] = path.split('?');
  return compilePathGlob(glob)({ pathname, segments: pathname.split('/').slice(1) });
}

const globSegment = fc.oneof(
  fc.constantFrom('**', '**', '*', 'a', 'b', 'a*', '*b', 'a*b', 'a*a', 'ab*b', '*a*', ''),
  fc.stringMatching(/^[ab*;.+()$!~]{1,5}$/),
);
const pathSegment = fc.oneof(
  fc.constantFrom('a', 'b', 'ab', 'aab', '', '..', '..;', ';', 'a;b', '%2f'),
  fc.stringMatching(/^[ab;.+()$!~*]{0,5}$/),
);
const path = fc
  .tuple(
    fc.array(pathSegment, { minLength: 1, maxLength: 5 }),
    fc.constantFrom('', '', '?', '?a', '?/a/b', '?;', 'a?/a'),
  )
  .map(([segments, query]) => `/${segments.join('/')}${query}`);
const glob = fc
  .array(globSegment, { minLength: 1, maxLength: 5 })
  .map((segments) => `/${segments.join('/')}`);

/** A glob and a path made from it, which by chance alone would hardly ever match. */
const related = glob.chain((text) =>
  fc.tuple(
    fc.constant(text),
    fc
      .tuple(
        ...text
          .split('/')
          .slice(1)
          .map((segment) =>
            segment === '**'
              ? fc.array(pathSegment, { maxLength: 3 })
              : fc
                  .array(fc.oneof(fc.constant(''), fc.stringMatching(/^[ab;]{0,2}$/)), {
                    minLength: 5,
                    maxLength: 5,
                  })
                  .map((fillings) => [segment.replaceAll('*', () => fillings.pop() ?? '')]),
          ),
      )
      .map((parts) => `/${parts.flat().join('/')}`),
  ),
);

describe('a path glob matches what the obvious matcher matches', () => {
  /** One character less: the nearest miss. */
  const shortened = fc.tuple(related, fc.nat()).map(([[text, asked], at]): [string, string] => {
    const cut = 1 + (at % asked.length);
    return [text, asked.slice(0, cut) + asked.slice(cut + 1)];
  });
  const pair = fc.oneof(related, shortened, fc.tuple(glob, path), fc.tuple(glob, fc.string()));

  test('in Envoy', () => {
    fc.assert(
      fc.property(pair, ([text, asked]) => {
        expect(envoyMatches(text, asked)).toBe(globMatches(text, asked));
      }),
      { numRuns: fuzzRuns(2_000) },
    );
  });

  test('in the agent', () => {
    fc.assert(
      fc.property(pair, ([text, asked]) => {
        expect(agentMatches(text, asked)).toBe(globMatches(text, asked));
      }),
      { numRuns: fuzzRuns(2_000) },
    );
  });
});

test('a glob without stars matches itself and nothing else, whatever characters it has', () => {
  const literal = fc.stringMatching(/^(\/[^*?/\n]{1,10}){1,4}$/);
  fc.assert(
    fc.property(literal, literal, (text, other) => {
      for (const matches of [envoyMatches, agentMatches]) {
        expect(matches(text, text)).toBe(true);
        expect(matches(text, other)).toBe(text === other);
      }
    }),
    { numRuns: fuzzRuns(100) },
  );
});
