// What all translated configuration depends on beside the state of the mesh.

export interface MeshSettings {
  /** SPIFFE trust domain. */
  readonly trustDomain: string;
  /**
   * How old a connection between proxies may become. Certificates are checked at the handshake only, so this is what is
   * left of an SVID's life when it is renewed.
   */
  readonly maxConnectionAgeMs: number;
  /** Whether a caller is told which policy denied it, and why; the access log always is. */
  readonly denialReasons: 'shown' | 'hidden';
}
