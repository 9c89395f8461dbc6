// On whose behalf registries are asked.

/** Who waits for an answer. Registries are asked for everyone in turn, and for none as often as it likes. */
export interface Asker {
  /** The namespace. */
  readonly tenant: string;
  /** Of the request that the image belongs to, equal for all of its images. */
  readonly request: string;
}
