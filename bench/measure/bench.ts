// What the groups of measurements are given.

export interface Bench {
  /** How often everything is measured. */
  readonly rounds: number;
  /** Fewer operations a round, for a first look. */
  readonly quick: boolean;
  /** For sockets and files; removed at the end. */
  readonly directory: string;
  /** Our Go programs; undefined when there is no Go here. */
  readonly peers: Peers | undefined;
  /** Path of Envoy; undefined when there is none. */
  readonly envoy: string | undefined;
  readonly log: (line: string) => void;
}

/** Paths of the programs in bench/peers. */
export type Peers = Readonly<Record<PeerName, string>>;

export const peerNames = ['authz', 'xds'] as const;
export type PeerName = (typeof peerNames)[number];
