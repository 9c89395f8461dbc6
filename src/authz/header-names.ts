// The headers that a policy asks for, made ready to be found among all others of a request.

interface WantedHeader {
  /** Place of its values. */
  readonly index: number;
  readonly bytes: Buffer;
}

export interface FoundHeader {
  readonly index: number;
  /** Spelled with `_` where the wanted name has `-`, or the other way round. */
  readonly isTwin: boolean;
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

  /** The wanted names that stand in these bytes, by themselves or as a twin. */
  find(bytes: Buffer, start: number, end: number): readonly FoundHeader[] {
    const candidates = this.#byLength[end - start];
    if (candidates === undefined) return none;
    const found: FoundHeader[] = [];
    for (const { index, bytes: name } of candidates) {
      if (bytes.compare(name, 0, name.length, start, end) === 0) found.push({ index, isTwin: false });
      else if (isTwin(name, bytes, start)) found.push({ index, isTwin: true });
    }
    return found;
  }
}

const none: readonly FoundHeader[] = [];
const dash = 0x2d;
const underscore = 0x5f;

/** Names of one length. */
function isTwin(name: Buffer, bytes: Buffer, start: number): boolean {
  return name.every((byte, i) => withDash(byte) === withDash(bytes[start + i]));
}

function withDash(byte: number | undefined): number | undefined {
  return byte === underscore ? dash : byte;
}
