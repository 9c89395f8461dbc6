// A gRPC message that is another one each time it is sent.

/** Stands in a message where the number of the call is to go. */
export const marker = '########';

export class Template {
  readonly #frame: Buffer;
  readonly #places: readonly number[];

  /** @param message with markers */
  constructor(message: Uint8Array) {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(message.length, 1);
    this.#frame = Buffer.concat([header, message]);
    this.#places = placesOf(this.#frame);
  }

  /** The message with this number instead of its markers, after its length prefix. */
  framed(number: number): Buffer {
    const copy = Buffer.from(this.#frame);
    const digits = String(number).padStart(marker.length, '0');
    for (const place of this.#places) copy.write(digits, place, 'latin1');
    return copy;
  }
}

function placesOf(bytes: Buffer): readonly number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + marker.length))
    places.push(at);
  return places;
}
