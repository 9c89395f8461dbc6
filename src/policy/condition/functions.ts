// What the functions and operators of CEL yield, and what a call of them costs at most.

import { PolicyError } from '../errors.ts';
import { type Amount, dividedBy, greatest, least, plus, times } from './amount.ts';
import {
  charsOf,
  comparable,
  concatenated,
  either,
  elementOf,
  isCollection,
  iterationsOver,
  type Kind,
  kindName,
  memberOf,
  type Shape,
  scalar,
  text,
  traversal,
} from './shape.ts';

/** Characters that are compared, searched or copied in one unit of time. */
const charsPerUnit = 50;
/** What a look into the calendar costs, with a time zone. */
const calendarCost = 1_500;
/** The text of a number, a time or a duration. */
const maxFormattedChars = 64;

interface CallFacts {
  readonly shape: Shape;
  readonly cost: Amount;
}

const resultKinds: Readonly<Record<string, Kind>> = {
  '!_': 'bool',
  '_&&_': 'bool',
  '_||_': 'bool',
  '@not_strictly_false': 'bool',
  '_==_': 'bool',
  '_!=_': 'bool',
  '_<_': 'bool',
  '_<=_': 'bool',
  '_>_': 'bool',
  '_>=_': 'bool',
  '@in': 'bool',
  contains: 'bool',
  startsWith: 'bool',
  endsWith: 'bool',
  matches: 'bool',
  bool: 'bool',
  int: 'int',
  size: 'int',
  uint: 'uint',
  double: 'double',
  timestamp: 'timestamp',
  duration: 'duration',
  type: 'type',
};

/** Operators that only make sense between values of one kind. */
const comparisons: ReadonlySet<string> = new Set(['_==_', '_!=_', '_<_', '_<=_', '_>_', '_>=_']);

const logical: ReadonlySet<string> = new Set(['!_', '_&&_', '_||_']);
const textual: ReadonlySet<string> = new Set(['contains', 'startsWith', 'endsWith', 'matches']);

/**
 * Refuses what can never come out right. CEL itself would answer `false` or an error for each request; and `true`, for
 * `destination.port != '9090'`.
 * @throws PolicyError ERR_CONDITION_TYPE
 */
export function checkKinds(name: string, args: readonly Shape[]): void {
  const [a = scalar('dyn'), b = scalar('dyn')] = args;
  if (comparisons.has(name)) checkComparable(a, b);
  if (name === '@in') checkContainer(a, b);
  if (logical.has(name)) demand('bool', args, (wrong) => `${wrong} is neither true nor false`);
  if (name === '_?_:_') demand('bool', [a], (wrong) => `${wrong} is neither true nor false`);
  if (textual.has(name)) demand('string', args, (wrong) => `${name}() is for text, not for ${wrong}`);
}

function demand(kind: Kind, args: readonly Shape[], message: (wrong: string) => string): void {
  const wrong = args.find((arg) => arg.kind !== kind && arg.kind !== 'dyn');
  if (wrong !== undefined) throw typeError(message(kindName(wrong)));
}

function checkContainer(value: Shape, container: Shape): void {
  if (!isCollection(container)) {
    throw typeError(`nothing is in ${kindName(container)}; write x in [a, b], or text.contains(x)`);
  }
  if (container.element !== undefined) checkComparable(value, container.element);
}

function checkComparable(a: Shape, b: Shape): void {
  if (!comparable(a, b))
    throw typeError(`${kindName(a)} and ${kindName(b)} are never equal, nor before or after each other`);
}

function typeError(message: string): PolicyError {
  return new PolicyError('ERR_CONDITION_TYPE', message);
}

/** Functions that answer whatever they are given, or pass on the error they are given. */
const infallible: ReadonlySet<string> = new Set(['_==_', '_!=_', '@not_strictly_false']);

/** Whether a call may end in an error of its own. */
export function isFallible(name: string, args: readonly Shape[]): boolean {
  if (name === '!_') return args[0]?.kind !== 'bool';
  return !infallible.has(name);
}

/** @param args the receiver of a method first */
export function callFacts(name: string, args: readonly Shape[]): CallFacts {
  return { shape: resultShape(name, args), cost: plus(1, extraCost(name, args)) };
}

function resultShape(name: string, args: readonly Shape[]): Shape {
  const [a = scalar('dyn'), b = a, c = b] = args;
  const kind = resultKinds[name];
  if (kind !== undefined) return scalar(kind);
  switch (name) {
    case '_?_:_':
      return either(b, c);
    case '_+_':
      return concatenated(a, b);
    case '_[_]':
      return a.kind === 'map' || a.kind === 'dyn' ? memberOf(a) : elementOf(a);
    case 'string':
      return text(greatest(a.size, maxFormattedChars));
    case 'bytes':
      // A character has up to three bytes in UTF-8 for each unit of its length.
      return scalar('bytes', times(a.size, 3));
    case 'dyn':
      return { ...a, kind: 'dyn' };
    case '-_':
      return a;
    default:
      return name.startsWith('get') ? scalar('int') : arithmeticShape(a, b);
  }
}

/** Between times and durations the result depends on both. */
function arithmeticShape(a: Shape, b: Shape): Shape {
  return a.kind === b.kind && a.kind !== 'timestamp' ? scalar(a.kind) : scalar('dyn');
}

function extraCost(name: string, args: readonly Shape[]): Amount {
  const [a = scalar('dyn'), b = scalar('dyn')] = args;
  if (comparisons.has(name)) return plus(plus(comparisonCost(a, b), levelCost(a)), levelCost(b));
  switch (name) {
    case '@in':
      return containerCost(a, b);
    case '_[_]':
      if (a.document === undefined) return a.joined ? a.count : 0;
      // Whatever is no text, the library looks for among all keys of a map.
      return b.kind === 'string' ? 0 : iterationsOver(a);
    case '_+_':
      return dividedBy(plus(a.size, b.size), charsPerUnit);
    case 'startsWith':
    case 'endsWith':
      return comparisonCost(a, b);
    case 'contains':
      // Where both are made for it, each character of the one is compared with each of the other.
      return dividedBy(times(charsOf(a), charsOf(b)), 2 * charsPerUnit);
    case 'size':
    case 'int':
    case 'uint':
    case 'double':
    case 'bool':
    case 'string':
    case 'bytes':
    case 'duration':
    case 'timestamp':
      return plus(5, dividedBy(charsOf(a), 5));
    default:
      return name.startsWith('get') ? calendarCost : 0;
  }
}

/** No further than the smaller one goes. */
function comparisonCost(a: Shape, b: Shape): Amount {
  return dividedBy(least(a.size, b.size), charsPerUnit);
}

/** Of a document, the size says it already. */
function levelCost(shape: Shape): Amount {
  return shape.document === undefined ? traversal(shape) : 0;
}

function containerCost(value: Shape, container: Shape): Amount {
  // However large the value, it is compared with each part of the document no further than that goes.
  if (container.document !== undefined) return plus(container.count, dividedBy(container.size, charsPerUnit));
  return times(traversal(container), plus(1, comparisonCost(value, elementOf(container))));
}
