// A client that cannot do post-quantum cryptography is refused in the handshake.

import { type Check, unless, type Verdict } from '../check.ts';
import { forgeIdentity } from '../forge.ts';
import { serviceNamed } from '../running-mesh.ts';
import { type Attempt, attempt } from '../tls-client.ts';
import { judgeRefusals, observeAttacks, type RefusalObservation } from './refusals.ts';

const ecdsa = 'ecdsa_secp256r1_sha256';
/** How OpenSSL writes mldsa65 here. */
const wanted = /^id-ml-dsa-65\b/;

export const classicalClientRefused: Check = {
  id: 'classical-client-refused',
  run: async (mesh) => {
    const service = serviceNamed(mesh, 'ai-engine');
    const right = await mesh.probe.client(service);
    const classical = forgeIdentity({
      spiffeId: mesh.probe.spiffeId,
      trustDomain: mesh.trustDomain,
      ca: 'ECDSA-P256',
      leaf: 'ECDSA-P256',
    });
    const refusals = await observeAttacks(service, right, [
      { name: 'X25519 only', differs: { groups: 'X25519' }, counted: 'connection_error' },
      { name: 'P-256 only', differs: { groups: 'P-256' }, counted: 'connection_error' },
      { name: 'TLS 1.2', differs: { version: 'TLSv1.2', groups: 'X25519', signatures: ecdsa } },
      { name: 'accepts only ECDSA servers', differs: { signatures: ecdsa }, counted: 'connection_error' },
      {
        name: 'has an ECDSA certificate',
        // The server says that it wants no such certificate, and OpenSSL then sends none.
        differs: { identity: classical, signatures: `${ecdsa}:mldsa65` },
        counted: 'fail_verify_no_cert',
      },
    ]);
    return judge(refusals, await attempt({ ...right, signatures: `${ecdsa}:mldsa65` }));
  },
};

/** @param versatile a right client that could make both kinds of signatures, and so learns what the server would take */
export function judge(refusals: RefusalObservation, versatile: Attempt): Verdict {
  const { ok, detail } = judgeRefusals(refusals);
  const wants = versatile.kind === 'answered' ? versatile.peer.wants : [];
  const problem = unless(
    wants.length === 1 && wants.every((name) => wanted.test(name)),
    `the server would take client signatures of the kinds: ${wants.join(', ') || 'none'}`,
  );
  if (problem !== undefined) return { ok: false, detail: `${problem}; ${detail}` };
  return { ok, detail: `${detail}; of client signatures, the server takes ML-DSA-65 only` };
}
