// An ML-DSA certificate with the right SPIFFE ID under an ECDSA root: the handshake itself would be post-quantum, the
// trust behind it is not. And no ECDSA root is among the anchors that the mesh hands out.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Check, unless, type Verdict } from '../check.ts';
import { forgeIdentity } from '../forge.ts';
import { serviceNamed } from '../running-mesh.ts';
import { judgeRefusals, observeAttacks, type RefusalObservation } from './refusals.ts';

export const classicalAnchorRefused: Check = {
  id: 'classical-anchor-refused',
  run: async (mesh) => {
    const service = serviceNamed(mesh, 'ai-engine');
    const { spiffeId } = serviceNamed(mesh, 'gateway');
    const { trustDomain } = mesh;
    const identity = forgeIdentity({ spiffeId, trustDomain, ca: 'ECDSA-P256', leaf: 'ML-DSA-65' });
    const refusals = await observeAttacks(service, await mesh.probe.client(service), [
      { name: `${spiffeId} under an ECDSA root`, differs: { identity }, counted: 'fail_verify_error' },
    ]);
    return judge(refusals, anchorKeyTypes(await readFile(mesh.trustBundleFile, 'utf8')));
  },
};

function anchorKeyTypes(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block).publicKey.asymmetricKeyType ?? 'unknown');
}

export function judge(refusals: RefusalObservation, anchors: readonly string[]): Verdict {
  const refused = judgeRefusals(refusals);
  const problem = unless(
    anchors.length > 0 && anchors.every((type) => type.startsWith('ml-dsa-')),
    `the trust bundle has anchors of type ${anchors.join(', ') || 'none'}`,
  );
  if (problem !== undefined) return { ok: false, detail: `${problem}; ${refused.detail}` };
  return { ok: refused.ok, detail: `${refused.detail}; anchors: ${anchors.join(', ')}` };
}
