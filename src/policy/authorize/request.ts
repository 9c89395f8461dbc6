// What is known about a request when it is decided. Fields are read only where a rule asks for them, so whoever
// implements this may decode them late.

export interface RequestAttributes {
  /** The caller's SPIFFE ID as its certificate proves it; empty when there is none. */
  readonly principal: string;
  /** The workload's own port. */
  readonly port: number;
  /** `CONNECT` is TCP: opaque bytes, which have neither path nor headers of their own. */
  readonly method: string;
  /** The normalized `:path`, with its query. */
  readonly path: string;
  /** The `:authority`. */
  readonly host: string;
  /** Every occurrence of a header, in order. @param name in lower case */
  header(name: string): readonly string[];
  /** Whether there is a header whose name differs from this one in `_` and `-` alone: CGI and its heirs read both as one. */
  hasTwin(name: string): boolean;
}

/** Two header names that differ in `_` and `-` alone; see RequestAttributes.hasTwin. */
export function areTwins(name: string, other: string): boolean {
  return name !== other && name.replaceAll('_', '-') === other.replaceAll('_', '-');
}

/** The mesh carries TCP in CONNECT; an HTTP request with that method ends in the proxy. */
export const tcpMethod = 'CONNECT';

/**
 * One request while it is being decided: what is derived from its attributes, each part made on first use and once,
 * however many rules ask for it.
 */
export class DecidedRequest {
  readonly attributes: RequestAttributes;
  readonly principal: string;
  readonly isTcp: boolean;
  #pathname: string | undefined;
  #segments: readonly string[] | undefined;

  constructor(attributes: RequestAttributes) {
    this.attributes = attributes;
    this.principal = attributes.principal;
    this.isTcp = attributes.method === tcpMethod;
  }

  /** The path without its query. */
  get pathname(): string {
    if (this.#pathname === undefined) {
      const { path } = this.attributes;
      const question = path.indexOf('?');
      this.#pathname = question === -1 ? path : path.slice(0, question);
    }
    return this.#pathname;
  }

  /** What stands between the slashes of the path: `/a/` has the segments `a` and the empty one, the empty path has none. */
  get segments(): readonly string[] {
    this.#segments ??= this.pathname.split('/').slice(1);
    return this.#segments;
  }

  /** What follows the first `?`; empty where there is none. */
  get query(): string {
    return this.attributes.path.slice(this.pathname.length + 1);
  }
}
