import { celMap } from '@bufbuild/cel';
import { describe, expect, test } from 'vitest';
import { ConditionEngine, Fault, parseCondition } from '../../../../src/policy/condition/engine.ts';
import { identifier } from '../../../../src/policy/condition/expression.ts';
import { dynamic } from '../../../../src/policy/condition/shape.ts';
import type { Vocabulary } from '../../../../src/policy/condition/vocabulary.ts';
import { PolicyError } from '../../../../src/policy/errors.ts';

/** Reads one variable, `x`. */
const onlyX: Vocabulary = {
  isRoot: (name) => name === 'x',
  refuse: (name) => new PolicyError('ERR_CONDITION_NAME', name),
  check: () => undefined,
  take: (expr) =>
    expr.exprKind.case === 'identExpr' && expr.exprKind.value.name === 'x'
      ? { expr: identifier(expr, 'the x'), shape: dynamic(10, 10) }
      : undefined,
};

const compile = (engine: ConditionEngine, text: string) =>
  engine.program(engine.analyse(parseCondition(text), onlyX).expr);

describe('an engine', () => {
  test('evaluates what the vocabulary reads, under the name that it gave', () => {
    const program = compile(new ConditionEngine(), 'x == 1');
    expect(program({ 'the x': 1n }).verdict).toBe(true);
    expect(program({ 'the x': 2n }).verdict).toBe(false);
    expect(program({ x: 1n }).verdict).toBeInstanceOf(Fault);
  });

  test('takes nothing but true for true', () => {
    for (const value of [1n, 'true', null, celMap(new Map())]) {
      expect(compile(new ConditionEngine(), 'x')({ 'the x': value }).verdict).toBeInstanceOf(Fault);
    }
  });

  test('stops matching when it has cost enough, each time anew', () => {
    const program = compile(new ConditionEngine({ maxMatching: 200 }), "x.matches('^a+$')");
    expect(program({ 'the x': 'a'.repeat(10) }).verdict).toBe(true);
    const { verdict, matching, isCutShort } = program({ 'the x': 'a'.repeat(1000) });
    expect(verdict).toBeInstanceOf(Fault);
    expect(matching).toBeGreaterThan(200);
    expect(isCutShort).toBe(true);
    expect(program({ 'the x': 'a'.repeat(10) })).toMatchObject({ verdict: true, isCutShort: false });
  });

  test('records no stacks where errors come by the thousand, and leaves everyone else theirs', () => {
    const seen: unknown[] = [];
    class Watched extends Map<string, bigint> {
      override get(key: string): bigint | undefined {
        seen.push(Error.stackTraceLimit);
        if (key === 'bad') throw new Error(key);
        return super.get(key);
      }
    }
    const { stackTraceLimit } = Error;
    const bindings = { 'the x': celMap(new Watched()) };
    compile(new ConditionEngine(), "has(x.a) || x.bad == 'b'")(bindings);
    expect(new Set(seen.splice(0))).toEqual(new Set([stackTraceLimit]));
    compile(new ConditionEngine({ manyErrors: true }), "has(x.a) || x.bad == 'b'")(bindings);
    expect(new Set(seen)).toEqual(new Set([0]));
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(stackTraceLimit).toBeGreaterThan(0);
  });
});
