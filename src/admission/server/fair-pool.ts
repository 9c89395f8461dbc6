// Something scarce, and who has how much of it. As long as there is some, whoever asks gets it; when there is not, whoever has little takes
// it from those who have most ("pushout" in Choudhury and Hahne, Dynamic Queue Length Thresholds for Shared-Memory Packet Switches,
// IEEE/ACM Transactions on Networking 6(2), 1998).
//
// What holds: among n peers, each can have one nth of it at any moment, however much the others have and in whatever order they came;
// and nobody loses anything who has no more than that. No rule that only refuses comes near it. The dynamic threshold of the same paper,
// where each may have three times what is free, gives all of 512 places away to six peers that come one after the other, as each of them
// may take three quarters of what those before it have left.

/** In the unit of what is shared. */
export interface PoolLimits {
  readonly max: number;
  /** Of one peer, so that there is something left for the first who comes beside it, at nobody's cost. */
  readonly maxOfOne: number;
}

interface Peer<Holder> {
  held: number;
  /** In the order in which they came to hold something. */
  readonly holders: Map<Holder, number>;
}

export class FairPool<Holder> {
  readonly #limits: PoolLimits;
  readonly #displaced: (holder: Holder) => void;
  readonly #peers = new Map<string, Peer<Holder>>();
  #used = 0;

  /** @param displaced what this one had has been taken from it; asks for nothing at once */
  constructor(limits: PoolLimits, displaced: (holder: Holder) => void) {
    this.#limits = limits;
    this.#displaced = displaced;
  }

  /** It has so much from now on, instead of what it had. @returns false when that cannot be had: it has what it had */
  hold(peer: string, holder: Holder, amount: number): boolean {
    const more = amount - (this.#peers.get(peer)?.holders.get(holder) ?? 0);
    if (more > 0) {
      if (!this.hasRoomFor(peer, more)) return false;
      this.#makeRoomFor(more);
    }
    this.#set(peer, holder, amount);
    return true;
  }

  /** Whether `peer` could have so much more: of what is free, and of what others have beyond what it would have then. */
  hasRoomFor(peer: string, more: number): boolean {
    const { max, maxOfOne } = this.#limits;
    const level = (this.#peers.get(peer)?.held ?? 0) + more;
    if (level > maxOfOne) return false;
    let available = max - this.#used;
    if (available >= more) return true;
    for (const { held } of this.#peers.values()) available += Math.max(0, held - level);
    return available >= more;
  }

  /** There is enough above the level of whoever asks, and what is taken comes from there: never from him, and never in vain. */
  #makeRoomFor(more: number): void {
    while (this.#used + more > this.#limits.max) {
      const [name, { holders }] = this.#most();
      // The newest, as if it had come after the one who asks now.
      const newest = [...holders.keys()].at(-1) as Holder;
      this.#set(name, newest, 0);
      this.#displaced(newest);
    }
  }

  #most(): readonly [string, Peer<Holder>] {
    return [...this.#peers].reduce((most, each) => (each[1].held > most[1].held ? each : most));
  }

  #set(name: string, holder: Holder, amount: number): void {
    const peer = this.#peers.get(name) ?? { held: 0, holders: new Map<Holder, number>() };
    const change = amount - (peer.holders.get(holder) ?? 0);
    this.#used += change;
    peer.held += change;
    if (amount > 0) peer.holders.set(holder, amount);
    else peer.holders.delete(holder);
    if (peer.held > 0) this.#peers.set(name, peer);
    else this.#peers.delete(name);
  }
}
