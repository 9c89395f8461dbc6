// What the API server asks about: the fields of an AdmissionRequest (admission.k8s.io/v1) that admission reads.

export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: 'CREATE' | 'UPDATE';
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Such as `ephemeralcontainers`; undefined for the object itself. */
  readonly subResource: string | undefined;
  readonly namespace: string;
  /** Undefined while the API server has not made one from `generateName`. */
  readonly name: string | undefined;
  readonly object: Readonly<Record<string, unknown>>;
  /** Of an update. */
  readonly oldObject: Readonly<Record<string, unknown>> | undefined;
  /** Nothing may be written because of it. */
  readonly dryRun: boolean;
}
