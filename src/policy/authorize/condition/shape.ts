// What is known of a value before there is one: its kind, and how large it can be at most.

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
  readonly size: number;
  /** Elements to iterate over, at most. */
  readonly count: number;
  /** Of its elements (the keys of a map); undefined: nothing is known but that they are part of it. */
  readonly element: Shape | undefined;
  /** A list made of lists, each appended to the one before: the library goes through all of them for every element. */
  readonly joined: boolean;
}

export function scalar(kind: Kind, size = 1): Shape {
  return { kind, size, count: 0, element: undefined, joined: false };
}

export function text(size: number): Shape {
  return scalar('string', size);
}

export function collection(kind: 'list' | 'map', elements: readonly Shape[], size: number): Shape {
  return {
    kind,
    size,
    count: elements.length,
    element: elements.reduce<Shape | undefined>(either, undefined),
    joined: false,
  };
}

export function dynamic(size: number, count: number): Shape {
  return { kind: 'dyn', size, count, element: undefined, joined: false };
}

/** A value that is one or the other. */
export function either(a: Shape | undefined, b: Shape): Shape {
  if (a === undefined) return b;
  return {
    kind: a.kind === b.kind ? a.kind : 'dyn',
    size: Math.max(a.size, b.size),
    count: Math.max(a.count, b.count),
    element: a.element === undefined || b.element === undefined ? undefined : either(a.element, b.element),
    joined: a.joined || b.joined,
  };
}

/** One list or text after another. */
export function concatenated(a: Shape, b: Shape): Shape {
  const shape = either(a, b);
  const element = a.count === 0 ? b.element : b.count === 0 ? a.element : shape.element;
  const joined = shape.kind === 'list' || shape.kind === 'dyn';
  return { ...shape, element, size: a.size + b.size, count: a.count + b.count, joined };
}

export function elementOf({ element, size, count }: Shape): Shape {
  return element ?? dynamic(size, count);
}

/** What appending the elements of a list to another comes to, so many times over; anything else stays what it is. */
export function repeated(shape: Shape, times: number): Shape {
  if (shape.kind !== 'list') return shape;
  return { ...shape, size: 1 + shape.size * times, count: shape.count * times, joined: true };
}

/** Whether it can be gone through element by element. */
export function isCollection({ kind }: Shape): boolean {
  return kind === 'list' || kind === 'map' || kind === 'dyn';
}

/** Steps to go through all elements. */
export function traversal({ count, joined }: Shape): number {
  return joined ? count + count * count : count;
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
