// How much is under way, of all and of each network: more is refused at once, and what is there is shared fairly. What has only been
// announced costs nobody anything: a request counts from when it has come whole, its bytes as they come.
//
// Where no client CA is given, nothing tells an API server from a pod that asks as it would, not even that it has asked before: so nothing is
// set aside for those who are known. With n networks that ask, an API server can have one nth of all places and of all bytes at any moment;
// who has as many addresses as there are places leaves it nothing for sure. With a client CA, only those whom it vouches for get here.

import { FairPool } from './fair-pool.ts';
import type { WebhookLimits } from './limits.ts';
import { networkOf } from './network-of.ts';

type LoadLimits = Pick<
  WebhookLimits,
  'maxUnderWay' | 'maxUnderWayPerAddress' | 'maxBytesUnderWay' | 'maxBytesUnderWayPerAddress'
>;

interface Pools {
  readonly places: FairPool<Share>;
  readonly bytes: FairPool<Share>;
}

export class Load {
  readonly #pools: Pools;
  #requests = 0;

  constructor(limits: LoadLimits) {
    const displace = (share: Share): void => share.displace();
    this.#pools = {
      places: new FairPool({ max: limits.maxUnderWay, maxOfOne: limits.maxUnderWayPerAddress }, displace),
      bytes: new FairPool(
        { max: limits.maxBytesUnderWay, maxOfOne: limits.maxBytesUnderWayPerAddress },
        displace,
      ),
    };
  }

  /** Begun and not ended. */
  get requests(): number {
    return this.#requests;
  }

  /**
   * @param address as of a socket
   * @returns undefined when no more can be judged: there is no use in reading it
   */
  begin(address: string): Share | undefined {
    const network = networkOf(address);
    if (!this.#pools.places.hasRoomFor(network, 1)) return undefined;
    this.#requests += 1;
    return new Share(network, this.#pools, () => {
      this.#requests -= 1;
    });
  }
}

/** What one request has of it. */
export class Share {
  readonly #network: string;
  readonly #pools: Pools;
  readonly #ended: () => void;
  #displaced: () => void = () => {};
  #state: 'coming' | 'whole' | 'displaced' | 'ended' = 'coming';

  constructor(network: string, pools: Pools, ended: () => void) {
    this.#network = network;
    this.#pools = pools;
    this.#ended = ended;
  }

  /** @param run when what it holds is given to somebody who has less: it must let go of it, and can have nothing more */
  onDisplaced(run: () => void): void {
    this.#displaced = run;
  }

  /** Holds so much instead of what it held before. @returns false when that is too much: it holds what it held then */
  hold(bytes: number): boolean {
    if (this.#state !== 'coming' && this.#state !== 'whole') return false;
    return this.#pools.bytes.hold(this.#network, this, bytes);
  }

  /** It has come whole. @returns false when no more can be judged */
  complete(): boolean {
    if (this.#state !== 'coming' || !this.#pools.places.hold(this.#network, this, 1)) return false;
    this.#state = 'whole';
    return true;
  }

  /** By the pools, when somebody else needs it. */
  displace(): void {
    this.#giveBack();
    this.#state = 'displaced';
    this.#displaced();
  }

  /** To be called once or more. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#giveBack();
    this.#state = 'ended';
    this.#ended();
  }

  #giveBack(): void {
    this.#pools.places.hold(this.#network, this, 0);
    this.#pools.bytes.hold(this.#network, this, 0);
  }
}
