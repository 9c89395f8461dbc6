// How long identities live. All in milliseconds. No standard sets these; they are Trellis' choices.

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/**
 * Certificates begin this much before they are issued, so that a peer whose clock is a little behind accepts them; the times
 * of tokens are taken with as much tolerance.
 */
export const clockSkewMs = minute;

/** A stolen workload key is good for no longer than this. */
export const defaultSvidLifetimeMs = hour;
/** Connections may live as long as an SVID, and retiring a root waits as long: beyond a day neither makes sense. */
export const maxSvidLifetimeMs = day;
/** Below this, renewing at half life becomes most of what CA and agents do. */
export const minSvidLifetimeMs = 10 * second;

/** A token is believed of whoever shows it; what is stolen is soon worth nothing. Longer-lived ones are refused, too. */
export const maxTokenLifetimeMs = 5 * minute;

/**
 * How long after its end an agent's SVID is still good for one thing, its own renewal: a control plane may be away for longer
 * than SVIDs live, and an agent's join token is used up. A week covers an outage that nobody attends to over holidays.
 */
export const agentRenewalGraceMs = 7 * day;

/** Until rotation of roots exists, replacing a root means restarting every agent. */
export const rootLifetimeMs = 3650 * day;
/** Half a year to plan the replacement of a root. */
export const rootExpiryWarningMs = 180 * day;

/** Between printing a join token and starting its agent. */
export const defaultJoinTokenTtlMs = hour;
/** A join token is a bearer secret; a week is for tokens that travel with a machine image. */
export const maxJoinTokenTtlMs = 7 * day;
