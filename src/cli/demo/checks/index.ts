// All checks in the order in which they run. Each leaves the mesh as it found it.

import type { Check } from '../check.ts';
import { agentRestart } from './agent-restart.ts';
import { allowedCall } from './allowed-call.ts';
import { badManifest } from './bad-manifest.ts';
import { classicalAnchorRefused } from './classical-anchor-refused.ts';
import { classicalClientRefused } from './classical-client-refused.ts';
import { conditionDenied } from './condition-denied.ts';
import { controlPlaneRestart } from './control-plane-restart.ts';
import { counterSignatureRequired } from './counter-signature-required.ts';
import { deniedCall } from './denied-call.ts';
import { endpointChange } from './endpoint-change.ts';
import { foreignCaRefused } from './foreign-ca-refused.ts';
import { handshakeGroup } from './handshake-group.ts';
import { handshakeSignature } from './handshake-signature.ts';
import { plaintextRefused } from './plaintext-refused.ts';
import { policyEdit } from './policy-edit.ts';
import { spiffeIdentity } from './spiffe-identity.ts';
import { svidRotation } from './svid-rotation.ts';
import { tcpTunnel } from './tcp-tunnel.ts';
import { tokenRequired } from './token-required.ts';
import { wrongServerRefused } from './wrong-server-refused.ts';

export interface CheckPlan {
  /** Start first and go on beside the others. */
  readonly background: readonly Check[];
  readonly inOrder: readonly Check[];
  /** Judge what all connections of the run have left in the counters. */
  readonly last: readonly Check[];
}

export const checkPlan: CheckPlan = {
  background: [svidRotation],
  inOrder: [
    allowedCall,
    deniedCall,
    tcpTunnel,
    spiffeIdentity,
    classicalClientRefused,
    plaintextRefused,
    foreignCaRefused,
    classicalAnchorRefused,
    counterSignatureRequired,
    tokenRequired,
    conditionDenied,
    wrongServerRefused,
    policyEdit,
    endpointChange,
    badManifest,
    agentRestart,
    controlPlaneRestart,
  ],
  last: [handshakeGroup, handshakeSignature],
};
