// What is known of a value before there is one: its kind, and how large it can be at most.

import { type Amount, anyOf, greatest, type Measure, measured, plus, times, totalOver } from './amount.ts';
import type { JsonSize } from './json.ts';

export type Kind =
  | 'string'
  | 'bytes'
  | 'int'
  | 'uint'
  | 'double'
  | 'bool'
  | 'null'
  | 'timestamp'
  | 'duration'
  | 'type'
  | 'list'
  | 'map'
  /** Known only when it is there, as claims are. */
  | 'dyn';

export interface Shape {
  readonly kind: Kind;
  /** Characters, bytes and values in it, on all levels, at most. */
  readonly size: Amount;
  /** Elements to iterate over, at most. */
  readonly count: Amount;
  /** Of its elements (the keys of a map); undefined: nothing is known but that they are part of it. */
  readonly element: Shape | undefined;
  /** A list made of lists, each appended to the one before: the library goes through all of them for every element. */
  readonly joined: boolean;
  /**
   * Of a value that is part of a document as it was read. Parts of such a value that lie beside each other have nothing in common, so
   * that together they are no larger than it. Undefined for whatever else, which may hold one thing twice.
   */
  readonly document: DocumentFacts | undefined;
}

/** What holds for every part of a document. */
interface DocumentFacts {
  /** Characters of the longest text. */
  readonly longest: number;
  /** Elements of the longest list, or fields of the largest object. */
  readonly widest: number;
}

const madeHere = { element: undefined, joined: false, document: undefined };

export function scalar(kind: Kind, size: Amount = 1): Shape {
  return { kind, size, count: 0, ...madeHere };
}

export function text(size: Amount): Shape {
  return scalar('string', size);
}

export function collection(kind: 'list' | 'map', elements: readonly Shape[], size: Amount): Shape {
  return {
    ...madeHere,
    kind,
    size,
    count: elements.length,
    element: elements.reduce<Shape | undefined>(either, undefined),
  };
}

export function dynamic(size: Amount, count: Amount): Shape {
  return { kind: 'dyn', size, count, ...madeHere };
}

/**
 * As many characters are compared in the time that one value of a document takes. Counted so, the size of a document alone says
 * how long it takes to go through it.
 */
const charsPerValue = 100;

/** A document as it was read. */
export function documentOf({ values, chars, longest, widest }: JsonSize): Shape {
  return { ...dynamic(charsPerValue * values + chars, values), document: { longest, widest } };
}

/** A value that is one or the other. */
export function either(a: Shape | undefined, b: Shape): Shape {
  if (a === undefined) return b;
  return {
    kind: a.kind === b.kind ? a.kind : 'dyn',
    size: greatest(a.size, b.size),
    count: greatest(a.count, b.count),
    element: a.element === undefined || b.element === undefined ? undefined : either(a.element, b.element),
    joined: a.joined || b.joined,
    document: a.document === undefined ? undefined : b.document && largerOf(a.document, b.document),
  };
}

function largerOf(a: DocumentFacts, b: DocumentFacts): DocumentFacts {
  return { longest: Math.max(a.longest, b.longest), widest: Math.max(a.widest, b.widest) };
}

/** One list or text after another. */
export function concatenated(a: Shape, b: Shape): Shape {
  if (isTextIfAnything(a, b) || isTextIfAnything(b, a)) return text(plus(charsOf(a), charsOf(b)));
  const shape = either(a, b);
  const element = a.count === 0 ? b.element : b.count === 0 ? a.element : shape.element;
  const joined = shape.kind === 'list' || shape.kind === 'dyn';
  return {
    ...shape,
    element,
    size: plus(a.size, b.size),
    count: plus(a.count, b.count),
    joined,
    document: undefined,
  };
}

/** Whatever a part of a document is, nothing but text can be put together with text. */
function isTextIfAnything(part: Shape, other: Shape): boolean {
  return part.document !== undefined && other.kind === 'string';
}

/** What a name or an index finds in a value of which nothing more is known. */
export function memberOf({ size, count, document }: Shape): Shape {
  return { ...dynamic(size, count), document };
}

export function elementOf(shape: Shape): Shape {
  return shape.element ?? memberOf(shape);
}

/** The elements of a collection, one by one. */
export interface Elements {
  /** Of any of them. */
  readonly shape: Shape;
  /** The quantities in which it is given; none where all elements are taken to be as large as the largest. */
  readonly own: readonly Measure[];
}

export function elementsOf(range: Shape): Elements {
  if (range.document === undefined) return { shape: elementOf(range), own: [] };
  const [size, count]: [Measure, Measure] = [{ whole: range.size }, { whole: range.count }];
  return { shape: { ...memberOf(range), size: measured(size), count: measured(count) }, own: [size, count] };
}

/** A value made from some element, where the elements are no longer gone through. */
function outsideOf(own: readonly Measure[], shape: Shape): Shape {
  if (own.length === 0) return shape;
  return {
    ...shape,
    size: anyOf(shape.size, own),
    count: anyOf(shape.count, own),
    element: shape.element === undefined ? undefined : outsideOf(own, shape.element),
  };
}

/** What appending to a list for each of `times` elements comes to; anything else stays what it is. */
export function repeated(shape: Shape, count: Amount, own: readonly Measure[]): Shape {
  const outside = outsideOf(own, shape);
  if (shape.kind !== 'list') return outside;
  return {
    ...outside,
    size: plus(1, totalOver(count, shape.size, own)),
    count: totalOver(count, shape.count, own),
    joined: true,
    document: undefined,
  };
}

/** Whether it can be gone through element by element. */
export function isCollection({ kind }: Shape): boolean {
  return kind === 'list' || kind === 'map' || kind === 'dyn';
}

/** Steps to go through all elements. */
export function traversal({ count, joined }: Shape): Amount {
  return joined ? plus(count, times(count, count)) : count;
}

/** Characters of it where it is a text. */
export function charsOf({ size, document }: Shape): Amount {
  return document === undefined || typeof size !== 'number' ? size : Math.min(size, document.longest);
}

/** How often something is done for each element. */
export function iterationsOver({ count, document }: Shape): Amount {
  return document === undefined || typeof count !== 'number' ? count : Math.min(count, document.widest);
}

const numbers: readonly Kind[] = ['int', 'uint', 'double'];

/** Whether values of these kinds can be equal at all; numbers of every kind can. */
export function comparable(a: Shape, b: Shape): boolean {
  if (a.kind === 'dyn' || b.kind === 'dyn' || a.kind === b.kind) return true;
  return numbers.includes(a.kind) && numbers.includes(b.kind);
}

const names: Readonly<Record<Kind, string>> = {
  string: 'text',
  bytes: 'bytes',
  int: 'a number',
  uint: 'a number',
  double: 'a number',
  bool: 'true or false',
  null: 'null',
  timestamp: 'a point in time',
  duration: 'a duration',
  type: 'a type',
  list: 'a list',
  map: 'a map',
  dyn: 'a value',
};

/** For messages. */
export function kindName({ kind }: Shape): string {
  return names[kind];
}
