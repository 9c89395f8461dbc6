// Regular expressions in conditions: RE2, whose time grows with the text, never exponentially. Two things it leaves
// unbounded are bounded here: how much it does for each character, and the memory of the automaton it builds on the way,
// which a caller may make grow state by state.

import { RE2JS } from '@bufbuild/re2';
import { PolicyError } from '../errors.ts';
import { maxMatchedChars, maxPatternChars, maxPatternStates, maxPatternSteps } from './limits.ts';

/** What one step for one character costs where the automaton has no state for it yet. */
const unitsPerStep = 0.75;

/** Measured, with an expression and texts made to fill the states each time: two and a half times what a match is charged. */
const overflowFactor = 2;

/** What matching has cost, in the units of limits.ts. */
interface Meter {
  spent: number;
  /** Once more than this is spent, nothing is matched any more. Absent: no limit. */
  readonly limit?: number;
}

/** A compiled expression; matches where any part of the text matches, as CEL says. */
export class Pattern {
  readonly source: string;
  readonly #steps: number;
  readonly #meter: Meter;
  #automaton: RE2JS;

  /**
   * @param meter is told what each match costs at worst
   * @throws PolicyError ERR_CONDITION_SYNTAX, ERR_CONDITION_COST
   */
  constructor(source: string, meter: Meter) {
    if (source.length > maxPatternChars) {
      throw new PolicyError(
        'ERR_CONDITION_COST',
        `a regular expression has ${source.length} characters; at most ${maxPatternChars} are allowed`,
      );
    }
    this.source = source;
    this.#meter = meter;
    this.#automaton = compile(source);
    this.#steps = this.#automaton.re2().prog.numInst();
    if (this.#steps > maxPatternSteps) {
      throw new PolicyError(
        'ERR_CONDITION_COST',
        `the regular expression ${quoted(source)} compiles to ${this.#steps} steps; at most ${maxPatternSteps} are allowed. Counted repetition, as in {100}, multiplies`,
      );
    }
  }

  /** What matching so many characters costs at worst, in the units of limits.ts. */
  cost(chars: number): number {
    return this.#steps * chars * unitsPerStep;
  }

  /**
   * @throws Error for a text that is too long, and where too much has been spent; the evaluation of the condition takes it for an
   * error of its own
   */
  test(text: string): boolean {
    if (text.length > maxMatchedChars)
      throw new Error(`matches() takes at most ${maxMatchedChars} characters`);
    this.#meter.spent += this.cost(text.length);
    if (this.#meter.spent > (this.#meter.limit ?? Number.POSITIVE_INFINITY))
      throw new Error('the regular expressions have cost too much');
    const result = this.#automaton.test(text);
    if (this.#automaton.re2().dfa.stateCount > maxPatternStates) {
      this.#automaton = compile(this.source);
      // Filling the states that are now thrown away cost more than matching did.
      this.#meter.spent += overflowFactor * this.cost(text.length);
    }
    return result;
  }

  /** States held in memory. */
  get states(): number {
    return this.#automaton.re2().dfa.stateCount;
  }
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PolicyError(
      'ERR_CONDITION_SYNTAX',
      `${quoted(source)} is no regular expression of RE2's syntax: ${reason}`,
      { cause: error },
    );
  }
}

function quoted(source: string): string {
  const maxQuoted = 64;
  return JSON.stringify(source.length > maxQuoted ? `${source.slice(0, maxQuoted)}…` : source);
}
