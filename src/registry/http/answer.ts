// The answer to one request. Its body is read within bounds or not at all.

import { RegistryError } from '../errors.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** So much of a body that nobody wants is read, to use the connection again; more, or slower, costs the connection. */
const maxDiscardBytes = 64 * 1024;
const maxDiscardMs = 500;

export interface Body {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Ends the request, wherever it is. */
  abandon(): void;
}

export class Answer {
  readonly status: number;
  /** The URL that answered. */
  readonly url: URL;
  readonly #headers: Headers;
  readonly #body: Body;

  constructor(status: number, url: URL, headers: Headers, body: Body) {
    this.status = status;
    this.url = url;
    this.#headers = headers;
    this.#body = body;
  }

  /** @throws RegistryError ERR_REGISTRY_PROTOCOL for a header that is there twice: readers take one or the other */
  header(name: string): string | undefined {
    const value = this.#headers[name];
    if (!Array.isArray(value)) return value;
    throw new RegistryError(
      'ERR_REGISTRY_PROTOCOL',
      `${this.url.host} answers with the header ${name} twice`,
    );
  }

  /** Of a header that is a list (RFC 9110 §5.3). */
  listHeader(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /**
   * The body piece by piece.
   * @throws RegistryError ERR_REGISTRY_TOO_LARGE when it is, or says that it is, more than `maxBytes`;
   *   ERR_REGISTRY_PROTOCOL when it is compressed, which was not asked for
   */
  async *pieces(maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = maxBytes;
    try {
      this.#checkHead(maxBytes);
    } catch (error) {
      this.#body.abandon();
      throw error;
    }
    for await (const piece of this.#body.pieces) {
      left -= piece.byteLength;
      if (left < 0) throw this.#tooLarge(maxBytes, maxBytes - left);
      yield piece;
    }
  }

  /** The whole body. @throws RegistryError as `pieces` */
  async bytes(maxBytes: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.pieces(maxBytes)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** Ends the request; nobody wants its body. Never rejects. */
  async discard(): Promise<void> {
    const timer = setTimeout(() => this.#body.abandon(), maxDiscardMs);
    let left = maxDiscardBytes;
    try {
      for await (const piece of this.#body.pieces) {
        left -= piece.byteLength;
        if (left < 0) return;
      }
    } catch {
      // A body that breaks is not wanted either.
    } finally {
      clearTimeout(timer);
    }
  }

  #checkHead(maxBytes: number): void {
    const encoding = this.listHeader('content-encoding')?.trim().toLowerCase() ?? '';
    if (encoding !== '' && encoding !== 'identity') {
      const what = `${this.url.host} answers with content-encoding ${JSON.stringify(encoding)}`;
      throw new RegistryError('ERR_REGISTRY_PROTOCOL', `${what}, which was not asked for`);
    }
    // The HTTP parser has checked that it is a number.
    if (Number(this.header('content-length') ?? 0) > maxBytes) throw this.#tooLarge(maxBytes);
  }

  #tooLarge(maxBytes: number, receivedBytes = 0): RegistryError {
    return new RegistryError(
      'ERR_REGISTRY_TOO_LARGE',
      `${this.url.host}${this.url.pathname} is larger than the ${maxBytes} bytes that are allowed`,
      { receivedBytes },
    );
  }
}
