// What to do about a finding at a command line, where there is no cluster to look at.

import { type Advice, clusterAdvice } from '../../admission/advice.ts';
import { missingImageAdvice } from '../missing-image.ts';

const policyUnusable =
  'correct the policy; ConfigMaps that it refers to are read from the files that it is read from';

/** Where registries are asked. */
export const registryAdvice: Advice = {
  ...clusterAdvice,
  policyUnusable,
  notKnown:
    'see whether this machine reaches the registry, with your credentials (docker login, --docker-config), and in time (--deadline of trellis admit); then try again',
  notFound: `${missingImageAdvice}; a cluster has the pull secrets of the pod instead`,
  notWritten:
    'unless the cluster does: it needs the registry for a digest, and changes nothing of pods with hostNetwork',
  noSidecar: 'where the cluster injects one, say so with --sidecar-image, as trellis webhook has it',
};

/** In a policy test. @param isStated whether it states what a registry would say */
export function testAdvice(isStated: boolean): Advice {
  return {
    ...registryAdvice,
    noSidecar: 'where the cluster injects one, say so with sidecar: true in the test',
    ...(isStated && { notKnown: 'what is not stated is not known' }),
  };
}
