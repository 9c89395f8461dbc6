// Reads DeltaDiscoveryResponses from a gRPC stream as it comes, keeping of the resources no more than their number. Two
// thousand clients in one process have to be faster than the server.

import { StringDecoder } from 'node:string_decoder';

export interface ScannedResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: number;
}

const prefixBytes = 5;
/** DeltaDiscoveryResponse. */
const responseField = { resources: 2, typeUrl: 4, nonce: 5 } as const;
const delimited = 2;

export class ResponseScanner {
  readonly #onResponse: (response: ScannedResponse) => void;
  /** Bytes of the length prefix, or of a field's tag and length, seen so far. */
  #head: number[] = [];
  /** Left of the message; 0 between messages. */
  #left = 0;
  /** Left of the field whose content is being read. */
  #content = 0;
  #text: { readonly field: number; readonly decoder: StringDecoder; value: string } | undefined;
  #typeUrl = '';
  #nonce = '';
  #resources = 0;

  constructor(onResponse: (response: ScannedResponse) => void) {
    this.#onResponse = onResponse;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#content > 0) at = this.#readContent(chunk, at);
      else {
        this.#head.push(chunk[at] ?? 0);
        at += 1;
        if (this.#left === 0) this.#readPrefix();
        else this.#readFieldHead();
      }
    }
  }

  #readPrefix(): void {
    if (this.#head.length < prefixBytes) return;
    this.#left = Buffer.from(this.#head).readUInt32BE(1);
    this.#head = [];
  }

  #readFieldHead(): void {
    this.#left -= 1;
    const tag = this.#head[0] ?? 0;
    if ((tag & 7) !== delimited || tag >= 0x80)
      throw new Error(`a field with the tag ${tag} is not expected here`);
    const last = this.#head.at(-1) ?? 0;
    if (this.#head.length < 2 || last >= 0x80) return;
    const length = this.#head.slice(1).reduceRight((value, byte) => value * 128 + (byte & 127), 0);
    this.#head = [];
    this.#begin(tag >> 3, length);
  }

  #begin(field: number, length: number): void {
    if (field === responseField.resources) this.#resources += 1;
    else if (field === responseField.typeUrl || field === responseField.nonce)
      this.#text = { field, decoder: new StringDecoder('utf8'), value: '' };
    this.#content = length;
    if (length === 0) this.#endOfField();
  }

  #readContent(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.#content, chunk.length);
    if (this.#text !== undefined) this.#text.value += this.#text.decoder.write(chunk.subarray(at, end));
    this.#content -= end - at;
    this.#left -= end - at;
    if (this.#content === 0) this.#endOfField();
    return end;
  }

  #endOfField(): void {
    if (this.#text?.field === responseField.typeUrl) this.#typeUrl = this.#text.value;
    else if (this.#text !== undefined) this.#nonce = this.#text.value;
    this.#text = undefined;
    if (this.#left > 0) return;
    const response = { typeUrl: this.#typeUrl, nonce: this.#nonce, resources: this.#resources };
    this.#typeUrl = '';
    this.#nonce = '';
    this.#resources = 0;
    this.#onResponse(response);
  }
}
