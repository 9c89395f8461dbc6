// The right SPIFFE ID in a flawless ML-DSA certificate is worth nothing when another CA has signed it.

import type { Check } from '../check.ts';
import { forgeIdentity } from '../forge.ts';
import { serviceNamed } from '../running-mesh.ts';
import { judgeRefusals, observeAttacks } from './refusals.ts';

export const foreignCaRefused: Check = {
  id: 'foreign-ca-refused',
  run: async (mesh) => {
    const service = serviceNamed(mesh, 'ai-engine');
    const { spiffeId } = serviceNamed(mesh, 'gateway');
    const { trustDomain } = mesh;
    const identity = forgeIdentity({ spiffeId, trustDomain, ca: 'ML-DSA-65', leaf: 'ML-DSA-65' });
    return judgeRefusals(
      await observeAttacks(service, await mesh.probe.client(service), [
        { name: `${spiffeId} from another ML-DSA CA`, differs: { identity }, counted: 'fail_verify_error' },
        { name: 'no certificate', differs: { identity: undefined }, counted: 'fail_verify_no_cert' },
      ]),
    );
  },
};
