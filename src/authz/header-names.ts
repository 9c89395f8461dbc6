// The headers that a policy asks for, made ready to be found among all others of a request.

export interface WantedHeader {
  /** Place of its values. */
  readonly index: number;
  readonly bytes: Buffer;
}

/** Header names by length: most headers of a request are dismissed by theirs. */
export class HeaderNames {
  readonly #indexes = new Map<string, number>();
  readonly #byLength: (readonly WantedHeader[])[] = [];

  /** @param names in lower case */
  constructor(names: Iterable<string>) {
    for (const name of names) {
      if (this.#indexes.has(name)) continue;
      const wanted = { index: this.#indexes.size, bytes: Buffer.from(name, 'latin1') };
      this.#indexes.set(name, wanted.index);
      this.#byLength[name.length] = [...(this.#byLength[name.length] ?? []), wanted];
    }
  }

  /** The place of a name that is wanted. @throws Error for any other: nobody looked for its values */
  indexOf(name: string): number {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`the header ${name} was not asked for`);
    return index;
  }

  /** The place of the name that stands in these bytes; undefined when it is not wanted. */
  find(bytes: Buffer, start: number, end: number): number | undefined {
    const candidates = this.#byLength[end - start];
    if (candidates === undefined) return undefined;
    for (const { index, bytes: name } of candidates) {
      if (name[0] === bytes[start] && bytes.compare(name, 0, name.length, start, end) === 0) return index;
    }
    return undefined;
  }
}
