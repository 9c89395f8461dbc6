// The bound on what a condition may cost: no evaluation looks at more of a predicate than the bound says, whatever the two are.

import { type CelInput, celList, celMap } from '@bufbuild/cel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { most } from '../../src/policy/condition/amount.ts';
import { ConditionEngine, parseCondition } from '../../src/policy/condition/engine.ts';
import { celJson, type JsonLimits, type JsonSize } from '../../src/policy/condition/json.ts';
import { AttestationVocabulary } from '../../src/policy/images/attestation-vocabulary.ts';
import { fuzzRuns } from '../support/fuzz.ts';

const names = ['a', 'b', 'c'];

/** Of lists in objects in lists, with equal parts, so that loops find elements and comparisons go far. */
const predicate = fc.integer({ min: 1, max: 3 }).chain((levels) => nested(levels));

function nested(levels: number): fc.Arbitrary<unknown> {
  if (levels === 0) return fc.constantFrom('a', 'aa', 1, true);
  const inner = nested(levels - 1);
  const list = fc.oneof(
    fc.array(inner, { minLength: 1, maxLength: 4 }),
    fc
      .tuple(inner, fc.integer({ min: 1, max: 12 }))
      .map(([value, count]) => Array.from({ length: count }, () => value)),
  );
  return fc.record({ a: list, b: fc.oneof(list, inner), c: fc.oneof(list, nested(0)) });
}

/** Writes a condition, each choice of which is the next number. */
class Writer {
  readonly #choices: readonly number[];
  #at = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  condition(depth: number, locals: readonly string[]): string {
    const value = () => this.value(1, locals);
    const inner = () => this.condition(depth - 1, locals);
    if (depth === 0) return `${this.value(0, locals)} == ${this.value(0, locals)}`;
    const local = `x${locals.length}`;
    const body = () => this.condition(depth - 1, [...locals, local]);
    switch (this.#next(22)) {
      case 0:
        return `${value()} == ${value()}`;
      case 1:
        return `${value()} in ${value()}`;
      case 2:
        return `(${inner()} && ${inner()})`;
      case 3:
        return `(${inner()} || ${inner()})`;
      case 4:
        // Goes through to the end whatever comes of the rest.
        return `${value()}.all(${local}, (${body()}) || true)`;
      case 5:
        return `${value()}.exists(${local}, (${body()}) && false)`;
      case 6:
        return `${value()}.exists_one(${local}, ${body()})`;
      case 7:
        return `${value()}.map(${local}, ${this.value(1, [...locals, local])}) == ${value()}`;
      case 8:
        return `${value()}.filter(${local}, ${body()}).exists(${local}, ${body()})`;
      case 9:
        return `${value()} in [${value()}, ${value()}]`;
      case 10:
        return `size(${value()}) > ${this.#next(3)}`;
      default:
        return `${this.#range(locals)}.all(${local}, (${body()}) || true)`;
    }
  }

  /** Mostly a list. */
  #range(locals: readonly string[]): string {
    const root = ['predicate', ...locals][this.#next(locals.length + 1)];
    return `dyn(${root}).${names[this.#next(2)]}`;
  }

  value(depth: number, locals: readonly string[]): string {
    const roots = ['predicate.a', 'predicate', 'predicate.b', ...locals, ...locals, ...locals];
    const root = roots[this.#next(roots.length)] ?? 'predicate';
    if (depth === 0) return root;
    const inner = this.value(depth - 1, locals);
    switch (this.#next(6)) {
      case 0:
        return `dyn(${inner})[${this.#next(3)}]`;
      case 1:
        return `[${inner}, ${root}]`;
      case 2:
        return `(${this.#next(2) === 0} ? ${inner} : ${root})`;
      case 3:
        return inner;
      default:
        return `dyn(${inner}).${names[this.#next(names.length)]}`;
    }
  }

  #next(below: number): number {
    const choice = this.#choices[this.#at % this.#choices.length] ?? 0;
    this.#at += 1;
    return choice % below;
  }
}

/** Counts every value that is taken out of it. */
class Counter {
  looks = 0;

  watched(value: unknown): CelInput {
    if (Array.isArray(value)) return celList(this.#list(value.map((each) => this.watched(each))));
    if (typeof value !== 'object' || value === null) {
      return typeof value === 'number' ? BigInt(value) : (value as CelInput);
    }
    const look = () => {
      this.looks += 1;
    };
    const map = new (class extends Map<string, CelInput> {
      override get(key: string): CelInput | undefined {
        look();
        return super.get(key);
      }
      override *keys(): MapIterator<string> {
        for (const key of super.keys()) {
          look();
          yield key;
        }
      }
      override *entries(): MapIterator<[string, CelInput]> {
        for (const entry of super.entries()) {
          look();
          yield entry;
        }
      }
    })();
    for (const [key, each] of Object.entries(value)) map.set(key, this.watched(each));
    return celMap(map);
  }

  #list(values: readonly CelInput[]): readonly CelInput[] {
    return new Proxy(values, {
      get: (target, name) => {
        if (typeof name === 'string' && /^\d+$/.test(name)) this.looks += 1;
        return Reflect.get(target, name);
      },
    });
  }
}

const unlimited: JsonLimits = { values: 1e9, depth: 1e9, charsOfText: 1e9, chars: 1e9 };

function sizeOf(value: unknown): JsonSize {
  const converted = celJson(value, unlimited, (number) => number);
  if (typeof converted === 'string') throw new Error(converted);
  return converted.size;
}

test('is above what evaluating looks at', () => {
  const seen = { looks: 0, conditions: 0 };
  const choices = fc.array(fc.nat(), { minLength: 40, maxLength: 40 });
  fc.assert(
    fc.property(choices, fc.integer({ min: 1, max: 5 }), predicate, (numbers, depth, value) => {
      const text = new Writer(numbers).condition(depth, []);
      const engine = new ConditionEngine();
      let analysed: ReturnType<ConditionEngine['analyse']>;
      try {
        analysed = engine.analyse(parseCondition(text), new AttestationVocabulary(sizeOf(value)));
      } catch {
        return;
      }
      const counter = new Counter();
      engine.program(analysed.expr)({ predicate: counter.watched(value) });
      const bound = most(analysed.cost.steps);
      expect({ text, isEnough: counter.looks <= bound }).toEqual({ text, isEnough: true });
      seen.conditions += 1;
      seen.looks += counter.looks;
    }),
    { numRuns: fuzzRuns(1_000) },
  );
  expect(seen.conditions).toBeGreaterThan(0);
  expect(seen.looks).toBeGreaterThan(10 * seen.conditions);
});
