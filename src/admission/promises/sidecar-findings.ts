// Whether a pod is in the mesh as its policies want it: with its sidecar, and with the one that this mesh injects.

import { type NamespacedName, namespacedName, type Policy } from '../../model/mesh.ts';
import { mergePolicies } from '../../policy/effective.ts';
import { type Enforcement, enforcementOf, isEnforced } from '../../policy/enforcement.ts';
import type { Advice } from '../advice.ts';
import type { Finding } from '../decision.ts';
import type { JudgedPod } from '../pod/pod-of.ts';
import { checkSidecar } from '../sidecar/check-sidecar.ts';
import { injectionObstacle } from '../sidecar/injection-obstacle.ts';
import type { SidecarSettings } from '../sidecar/settings.ts';
import { isMeshed } from '../sidecar/should-be-meshed.ts';
import { demandOf } from './required-encryption.ts';

/** @param policies that select the pod */
export function sidecarFindings(
  judged: JudgedPod,
  policies: readonly Policy[],
  { sidecar: settings, advice }: { readonly sidecar: SidecarSettings | undefined; readonly advice: Advice },
): readonly Finding[] {
  if (settings === undefined) {
    return policies.filter(requires).map((policy) => withoutInjection(policy, advice));
  }
  // A template gets its sidecar when its pods are made.
  if (judged.kind === 'template') return [];
  const demand = demandOn(judged, policies);
  if (demand === undefined) return [];
  const check = checkSidecar(judged.object, demand.should, settings);
  if (check.state === 'ok') return [];
  const names = demand.policies.join(' and ');
  return [
    {
      code: check.state === 'missing' ? 'sidecar-missing' : 'sidecar-altered',
      enforcement: demand.enforcement,
      policy: demand.policies.length === 1 ? demand.policies[0] : undefined,
      field: check.field === undefined ? undefined : `${judged.fieldPrefix}${check.field}`,
      message: `the pod has to be in the mesh by the postQuantumEncryption of QuantumSecurityPolicy ${names}; ${check.reason}`,
    },
  ];
}

interface Demand {
  readonly enforcement: Enforcement;
  readonly policies: readonly NamespacedName[];
  /** Whether a sidecar has to be there. One that is there has to be genuine in any case. */
  readonly should: boolean;
}

function demandOn({ pod }: JudgedPod, policies: readonly Policy[]): Demand | undefined {
  const effective = mergePolicies(policies);
  if (isMeshed(effective)) {
    const obstacle = injectionObstacle(pod);
    const should =
      obstacle === undefined ||
      // `preferred` lets pods be without; `required` refuses the network of the node by itself.
      (obstacle === 'windows' && effective.postQuantumEncryption === 'required');
    return { enforcement: 'enforce', policies: effective.encryptionPolicies, should };
  }
  // What does not enforce has nothing injected.
  const trying = policies.filter((policy) => !isEnforced(policy) && wantsMesh(policy));
  if (trying.length === 0) return undefined;
  const isWarning = trying.some(({ spec }) => spec.enforcement === 'warn');
  return {
    enforcement: isWarning ? 'warn' : 'audit',
    policies: trying.map(namespacedName),
    should: false,
  };
}

function requires({ spec }: Policy): boolean {
  return spec.postQuantumEncryption === 'required';
}

function wantsMesh({ spec }: Policy): boolean {
  return spec.postQuantumEncryption === 'required' || spec.postQuantumEncryption === 'preferred';
}

function withoutInjection(policy: Policy, { noSidecar }: Advice): Finding {
  const name = namespacedName(policy);
  return {
    code: 'sidecar-missing',
    enforcement: enforcementOf(policy),
    policy: name,
    field: undefined,
    message: `${demandOf(name)}, and this installation injects no sidecar, so no pod can keep that; ${noSidecar}`,
  };
}
