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

export const defaultPullCredentialLimits: PullCredentialLimits = {
  // Short enough that who mends a Secret need not wait.
  lifeMs: 10_000,
  maxBytes: 16 * 1024 * 1024,
  maxSecrets: 16,
  // Each costs a refusal, and registries lock out who is refused too often.
  maxCandidates: 8,
};
