// envoy.service.auth.v3.CheckRequest, of which only what a decision needs is read: a full decode of the message costs
// thirty times as much, most of it for headers that nobody looks at. Semantics are those of protobuf: of a field that
// occurs twice the last one counts, messages that occur twice are merged, and so are lists.

import { AuthzError } from './errors.ts';
import type { HeaderNames } from './header-names.ts';
import { RequestHeaders } from './request-headers.ts';
import { WireReader } from './wire.ts';

/** Envoy takes 60 KiB of headers; path and certificate come on top, and the path twice. */
export const maxCheckRequestBytes = 256 * 1024;
/** SPIFFE-ID §2.3. */
const maxPrincipalBytes = 2048;
/** An SVID as PEM, each third character of it percent-encoded at worst. */
const maxEncodedCertificateBytes = 64 * 1024;
const requestField = { attributes: 1 } as const;
const attributesField = { source: 1, request: 4, contextExtensions: 10 } as const;
const peerField = { principal: 4, certificate: 5 } as const;
const httpInRequest = 2;
const httpField = { method: 2, headers: 3, path: 4, host: 5, headerMap: 13 } as const;
const entryField = { key: 1, value: 2 } as const;

const none: readonly string[] = [];

interface ReadHeaders {
  readonly values: readonly (readonly string[] | undefined)[];
  readonly twins: ReadonlySet<number>;
}
const empty = Buffer.alloc(0);

/** What a check says. Headers are read on first use, all that are wanted at once. */
export class CheckRequest {
  /** SPIFFE ID of the caller's certificate; empty when there is none. */
  principal = '';
  /** False for a connection that has not been read from yet. */
  isHttp = false;
  method = '';
  path = '';
  host = '';
  /** URL-encoded PEM of the caller's leaf, in the request's own bytes. */
  certificate: Buffer = empty;
  /** The context extension that says the port. */
  portText: string | undefined;
  readonly #bytes: Buffer;
  readonly #wanted: HeaderNames;
  readonly #portExtension: string;
  /** Where the HTTP attributes stand, begin and end of each part. */
  readonly #http: number[] = [];
  #headers: ReadHeaders | undefined;

  /**
   * @param message is not copied: valid as long as its bytes are
   * @throws AuthzError
   */
  constructor(message: Uint8Array, wanted: HeaderNames, portExtension: string) {
    if (message.length > maxCheckRequestBytes) {
      throw new AuthzError('ERR_AUTHZ_TOO_LARGE', `a check of more than ${maxCheckRequestBytes} bytes`);
    }
    this.#bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
    this.#wanted = wanted;
    this.#portExtension = portExtension;
    const fields = new WireReader(this.#bytes, 0, this.#bytes.length);
    while (fields.next()) {
      if (fields.field === requestField.attributes) this.#readAttributes(fields.message());
    }
  }

  /** The workload's port. @throws AuthzError where the request does not say it */
  get port(): number {
    const text = this.portText ?? '';
    const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
    if (port < 1 || port > 65535) {
      throw new AuthzError('ERR_AUTHZ_MALFORMED', 'the check does not say which port the request is for');
    }
    return port;
  }

  /** Every value of a header that is wanted. @throws AuthzError */
  header(name: string): readonly string[] {
    this.#headers ??= this.#readHeaders();
    return this.#headers.values[this.#wanted.indexOf(name)] ?? none;
  }

  /** Whether a header is there whose name differs from a wanted one in `_` and `-` alone. @throws AuthzError */
  hasTwin(name: string): boolean {
    this.#headers ??= this.#readHeaders();
    return this.#headers.twins.has(this.#wanted.indexOf(name));
  }

  #readAttributes(fields: WireReader): void {
    while (fields.next()) {
      switch (fields.field) {
        case attributesField.source:
          this.#readPeer(fields.message());
          break;
        case attributesField.request:
          this.#readRequest(fields.message());
          break;
        case attributesField.contextExtensions:
          this.#readExtension(fields.message());
          break;
        default:
      }
    }
  }

  #readPeer(fields: WireReader): void {
    while (fields.next()) {
      if (fields.field === peerField.principal) {
        this.principal = fields.text(maxPrincipalBytes);
      } else if (fields.field === peerField.certificate) {
        fields.demandDelimited();
        if (fields.end - fields.start > maxEncodedCertificateBytes) {
          throw new AuthzError(
            'ERR_AUTHZ_TOO_LARGE',
            `a certificate of more than ${maxEncodedCertificateBytes} bytes`,
          );
        }
        this.certificate = this.#bytes.subarray(fields.start, fields.end);
      }
    }
  }

  #readExtension(fields: WireReader): void {
    let key = '';
    let value = '';
    while (fields.next()) {
      if (fields.field === entryField.key) key = fields.text(maxCheckRequestBytes);
      else if (fields.field === entryField.value) value = fields.text(maxCheckRequestBytes);
    }
    if (key === this.#portExtension) this.portText = value;
  }

  #readRequest(fields: WireReader): void {
    while (fields.next()) {
      if (fields.field !== httpInRequest) continue;
      this.isHttp = true;
      this.#readHttp(fields.message());
      this.#http.push(fields.start, fields.end);
    }
  }

  #readHttp(fields: WireReader): void {
    while (fields.next()) {
      switch (fields.field) {
        case httpField.method:
          this.method = fields.text(maxCheckRequestBytes);
          break;
        case httpField.path:
          this.path = fields.text(maxCheckRequestBytes);
          break;
        case httpField.host:
          this.host = fields.text(maxCheckRequestBytes);
          break;
        default:
      }
    }
  }

  #readHeaders(): ReadHeaders {
    const found = new RequestHeaders(this.#bytes, this.#wanted);
    for (let part = 0; part < this.#http.length; part += 2) {
      const fields = new WireReader(this.#bytes, this.#http[part] ?? 0, this.#http[part + 1] ?? 0);
      while (fields.next()) {
        if (fields.field === httpField.headers) found.entry(fields.message());
        else if (fields.field === httpField.headerMap) found.headerMap(fields.message());
      }
    }
    return { values: found.values(), twins: found.twins };
  }
}
