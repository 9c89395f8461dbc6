// How much is under way, of all and of each address: more is refused at once. What has only been announced costs nobody anything: a
// request counts from when it has come whole, its bytes as they come.

import type { WebhookLimits } from './limits.ts';

type LoadLimits = Pick<
  WebhookLimits,
  'maxUnderWay' | 'maxUnderWayPerAddress' | 'maxBytesUnderWay' | 'maxBytesUnderWayPerAddress'
>;

/** What is used by all, or by one address. */
class Use {
  /** Requests whose headers have come. */
  begun = 0;
  /** Of these, those that have come whole. */
  whole = 0;
  bytes = 0;
  readonly #maxWhole: number;
  readonly #maxBytes: number;

  constructor(maxWhole: number, maxBytes: number) {
    this.#maxWhole = maxWhole;
    this.#maxBytes = maxBytes;
  }

  get isFull(): boolean {
    return this.whole >= this.#maxWhole;
  }

  hasRoomFor(bytes: number): boolean {
    return this.bytes + bytes <= this.#maxBytes;
  }
}

export class Load {
  readonly #limits: LoadLimits;
  readonly #all: Use;
  readonly #addresses = new Map<string, Use>();

  constructor(limits: LoadLimits) {
    this.#limits = limits;
    this.#all = new Use(limits.maxUnderWay, limits.maxBytesUnderWay);
  }

  /** Begun and not ended. */
  get requests(): number {
    return this.#all.begun;
  }

  /** @returns undefined when no more can be judged: there is no use in reading it */
  begin(address: string): Share | undefined {
    const { maxUnderWayPerAddress, maxBytesUnderWayPerAddress } = this.#limits;
    const own = this.#addresses.get(address) ?? new Use(maxUnderWayPerAddress, maxBytesUnderWayPerAddress);
    if (this.#all.isFull || own.isFull) return undefined;
    this.#addresses.set(address, own);
    return new Share([this.#all, own], () => {
      if (own.begun === 0) this.#addresses.delete(address);
    });
  }
}

/** What one request has of it. */
export class Share {
  readonly #uses: readonly Use[];
  readonly #ended: () => void;
  #bytes = 0;
  #state: 'coming' | 'whole' | 'ended' = 'coming';

  constructor(uses: readonly Use[], ended: () => void) {
    this.#uses = uses;
    this.#ended = ended;
    for (const use of uses) use.begun += 1;
  }

  /** Holds so much instead of what it held before. @returns false when that is too much: it holds what it held then */
  hold(bytes: number): boolean {
    const more = bytes - this.#bytes;
    if (this.#state === 'ended' || (more > 0 && !this.#uses.every((use) => use.hasRoomFor(more))))
      return false;
    for (const use of this.#uses) use.bytes += more;
    this.#bytes = bytes;
    return true;
  }

  /** It has come whole. @returns false when no more can be judged */
  complete(): boolean {
    if (this.#state !== 'coming' || this.#uses.some(({ isFull }) => isFull)) return false;
    this.#state = 'whole';
    for (const use of this.#uses) use.whole += 1;
    return true;
  }

  /** To be called once or more. */
  end(): void {
    if (this.#state === 'ended') return;
    this.hold(0);
    for (const use of this.#uses) {
      use.begun -= 1;
      if (this.#state === 'whole') use.whole -= 1;
    }
    this.#state = 'ended';
    this.#ended();
  }
}
