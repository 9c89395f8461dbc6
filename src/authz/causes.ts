// Why the agent denied, where no rule of a policy came into it, or could not answer at all.

import type { Cause } from '../policy/authorize/decision.ts';

/** What can be wrong with the certificate of a caller who must be counter-signed. */
export type CounterSignatureCause =
  /** No certificate, or one without a counter-signature. */
  | 'counter-signature-missing'
  /** It does not verify under the issuer in the workload's own trust bundle, or the certificate does not. */
  | 'counter-signature-invalid';

/** Labels of a metric. `none`: allowed. */
export type CheckCause =
  | 'none'
  | Cause
  | CounterSignatureCause
  /** Nothing has been received from the control plane yet. */
  | 'policy-unknown'
  | 'request-malformed'
  | 'request-too-large'
  | 'internal';

/** `failed`: answered with an error, which Envoy takes for no. */
export type CheckResult = 'allowed' | 'denied' | 'failed';
