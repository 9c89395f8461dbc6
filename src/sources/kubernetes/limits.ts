// Every limit and delay of the Kubernetes source, in one place.

export interface Limits {
  /** Objects of one page. Pods are some 10 KB each. */
  readonly pageObjects: number;
  /** Of one page, and of a list that had to be fetched whole. */
  readonly maxListBytes: number;
  /** One event. etcd takes objects of 1.5 MB, which as JSON may be several times as long. */
  readonly maxEventBytes: number;
  /** Of one kind. Kubernetes is tested with 150,000 pods. */
  readonly maxObjects: number;
  /** Of one answer that is not a list. */
  readonly maxAnswerBytes: number;
  readonly connectMs: number;
  /** For the whole of an answer; a large list takes the API server a while. */
  readonly requestMs: number;
  /**
   * How long we ask the API server to keep a watch: between this and twice this, so that watches do not all end at once. Short,
   * because it is also how long a connection that has died without a word goes unnoticed.
   */
  readonly watchSeconds: number;
  /** Beyond what was asked for, the API server may say nothing for so long. */
  readonly watchSlackMs: number;
  /**
   * A watch says what changed; should one ever have missed something (a store set back from a backup), listing again after so
   * long finds it. Between this and one and a half times this.
   */
  readonly relistMs: number;
  /** A watch that ended sooner, with no event, has failed. */
  readonly shortWatchMs: number;
  /** Before the first retry; doubles. */
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** A longer Retry-After is not believed. */
  readonly maxRetryAfterMs: number;
  /** Events come in bursts; the first of a burst starts this delay. */
  readonly debounceMs: number;
}

export const defaultLimits: Limits = {
  pageObjects: 500,
  maxListBytes: 256 * 1024 * 1024,
  maxEventBytes: 8 * 1024 * 1024,
  maxObjects: 200_000,
  maxAnswerBytes: 4 * 1024 * 1024,
  connectMs: 10_000,
  requestMs: 60_000,
  watchSeconds: 60,
  watchSlackMs: 15_000,
  relistMs: 20 * 60_000,
  shortWatchMs: 1_000,
  firstRetryMs: 200,
  maxRetryMs: 10_000,
  maxRetryAfterMs: 60_000,
  debounceMs: 50,
};
