// Reads the first flight of a TLS 1.3 handshake off the wire (RFC 8446 §4.1). Only what the demo shows of it.

/** IANA TLS Supported Groups; draft-ietf-tls-ecdhe-mlkem gives X25519MLKEM768 its number. */
export const x25519MlKem768 = 0x11ec;

/** IANA TLS SignatureScheme; draft-ietf-tls-mldsa. */
export const mldsa65 = 0x0905;

const handshakeRecord = 22;
const clientHelloType = 1;
const serverHelloType = 2;
const supportedGroupsExtension = 10;
const signatureAlgorithmsExtension = 13;
const keyShareExtension = 51;

export interface Hello {
  /** Groups a ClientHello offers; empty for a ServerHello. */
  readonly groups: readonly number[];
  /** Groups it carries key shares for; a ServerHello has the one that was chosen. */
  readonly keyShares: readonly number[];
  /** Signatures a ClientHello accepts from the server; empty for a ServerHello. */
  readonly signatures: readonly number[];
}

export function parseClientHello(bytes: Buffer): Hello | undefined {
  return parseHello(bytes, clientHelloType);
}

export function parseServerHello(bytes: Buffer): Hello | undefined {
  return parseHello(bytes, serverHelloType);
}

/** @returns undefined when these bytes do not begin with that message, or not all of it is there */
function parseHello(bytes: Buffer, type: number): Hello | undefined {
  try {
    const message = new Reader(firstMessage(bytes));
    if (message.number(1) !== type) return undefined;
    const body = new Reader(message.vector(3));
    body.skip(2 + 32);
    body.vector(1);
    if (type === clientHelloType) {
      body.vector(2);
      body.vector(1);
    } else {
      body.skip(2 + 1);
    }
    return readExtensions(new Reader(body.vector(2)), type);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The handshake bytes of all records at the beginning: an ML-KEM key share makes a hello span several packets. */
function firstMessage(bytes: Buffer): Buffer {
  const records = new Reader(bytes);
  const fragments: Buffer[] = [];
  while (!records.atEnd() && records.number(1) === handshakeRecord) {
    records.skip(2);
    fragments.push(records.vector(2));
  }
  return Buffer.concat(fragments);
}

function readExtensions(extensions: Reader, type: number): Hello {
  const groups: number[] = [];
  const keyShares: number[] = [];
  const signatures: number[] = [];
  while (!extensions.atEnd()) {
    const id = extensions.number(2);
    const content = new Reader(extensions.vector(2));
    if (id === supportedGroupsExtension) {
      groups.push(...numbers(content.vector(2)));
    } else if (id === signatureAlgorithmsExtension) {
      signatures.push(...numbers(content.vector(2)));
    } else if (id === keyShareExtension && type === serverHelloType) {
      keyShares.push(content.number(2));
    } else if (id === keyShareExtension) {
      const list = new Reader(content.vector(2));
      while (!list.atEnd()) {
        keyShares.push(list.number(2));
        list.vector(2);
      }
    }
  }
  return { groups, keyShares, signatures };
}

function numbers(list: Buffer): readonly number[] {
  const reader = new Reader(list);
  const all: number[] = [];
  while (!reader.atEnd()) all.push(reader.number(2));
  return all;
}

/** Big-endian numbers and length-prefixed vectors. Reading past the end throws a RangeError. */
class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  number(size: number): number {
    const value = this.#bytes.readUIntBE(this.#offset, size);
    this.#offset += size;
    return value;
  }

  vector(lengthSize: number): Buffer {
    const length = this.number(lengthSize);
    this.skip(length);
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  skip(length: number): void {
    if (this.#offset + length > this.#bytes.length) throw new RangeError('the message is cut off');
    this.#offset += length;
  }
}
