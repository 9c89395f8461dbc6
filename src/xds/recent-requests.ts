// Requests that came a moment ago, by their bytes. Envoy names what it subscribes to in order, so proxies that start together
// send the same thousand names in the same bytes. To compare these costs a hundredth of decoding them, and equal lists of
// names are then the same object, for which more is known.

/** Smaller requests are decoded as fast as they are found. */
const minNames = 64;
/** What one stream may keep in names is no more, so a larger request is refused soon. */
const maxBytes = 1024 * 1024;
/** Every kind of proxy that starts, and room for requests that never come again. */
const maxRequests = 4;

export class RecentRequests<Request extends { readonly subscribe: readonly string[] }> {
  /** Newest last. */
  readonly #known: { readonly message: Buffer; readonly request: Request }[] = [];

  /** The request of a message that is the same to the last byte. */
  find(message: Uint8Array): Request | undefined {
    return this.#known.find((known) => known.message.equals(message))?.request;
  }

  remember(message: Uint8Array, request: Request): void {
    if (request.subscribe.length < minNames || message.length > maxBytes) return;
    // A copy: the message may be part of a buffer that is larger, or used again.
    this.#known.push({ message: Buffer.from(message), request });
    if (this.#known.length > maxRequests) this.#known.shift();
  }
}
