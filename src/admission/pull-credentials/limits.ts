// What the credentials of pods may cost.

export interface PullCredentialLimits {
  /** How long Secrets and service accounts are remembered: two hundred pods of one Deployment ask once. */
  readonly lifeMs: number;
  /** Of all that is remembered. */
  readonly maxBytes: number;
  /** Of one pod; further ones are not looked at. */
  readonly maxSecrets: number;
  /** Credentials that are tried at one registry. */
  readonly maxCandidates: number;
}

/**
 * Of one request for a Secret, a service account or a ConfigMap. API servers answer in milliseconds; while one says nothing, this is
 * what images wait that are known, and need no credentials. So it is much less than API servers wait for an answer.
 */
export const objectRequestMs = 3_000;

export const defaultPullCredentialLimits: PullCredentialLimits = {
  // Short enough that who mends a Secret need not wait.
  lifeMs: 10_000,
  maxBytes: 16 * 1024 * 1024,
  maxSecrets: 16,
  // Each costs a refusal, and registries lock out who is refused too often.
  maxCandidates: 8,
};
