// How long the webhook's own certificates live, and how long each step of exchanging a CA takes. All in milliseconds.

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

export interface CertificateTiming {
  readonly caLifetimeMs: number;
  readonly leafLifetimeMs: number;
  /**
   * How long a new CA has been in the webhook configurations before anything signed by it is served. API servers learn of the change
   * by watching, within milliseconds; one that is cut off from its store, or starts with an old copy of it, later.
   */
  readonly propagationMs: number;
  /** The same when what is served is no good any more: every second is one in which nothing is admitted. */
  readonly urgentMs: number;
  /**
   * How long a CA stays in the webhook configurations that signs no more. A replica that cannot read the Secret serves the old
   * certificate for so long; the key of that CA is gone by then, so waiting costs nothing.
   */
  readonly retireMs: number;
  /** Between two looks at the Secret and the webhook configurations, give or take a fifth. */
  readonly pollMs: number;
  /** The same while there is nothing to serve yet. */
  readonly firstPollMs: number;
  /** Of one request to the API server. */
  readonly requestMs: number;
}

/** Renewal is at two thirds of a life, so a leader may be missing for ten days, and for four months if only the CA is old. */
export const defaultCertificateTiming: CertificateTiming = {
  caLifetimeMs: 365 * day,
  leafLifetimeMs: 30 * day,
  propagationMs: 10 * minute,
  urgentMs: 5 * second,
  retireMs: day,
  pollMs: 10 * second,
  firstPollMs: second,
  requestMs: 4 * second,
};

/** Of a life, left when a certificate is renewed. */
export const renewalShare = 1 / 3;
/** Renewal is sooner by up to this share of a life, by chance: the CA and its leaf do not come due together. */
export const jitterShare = 0.05;

/**
 * A certificate is valid whenever the one that it replaces was, too, unless that makes its life longer than this. When the two differ much,
 * one of the clocks was wrong, that of now or that of then; which, cannot be told, and API servers have one of their own. (A
 * replica whose clock is wrong by years does not believe the API server's certificate, and so changes nothing.)
 */
export const maxSpanMs = 10 * 365 * day;
