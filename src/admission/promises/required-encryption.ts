// What policies with `postQuantumEncryption: required` say to the breaches of a pod, each with its own enforcement.

import { type NamespacedName, namespacedName, type Policy } from '../../model/mesh.ts';
import { type Enforcement, enforcementOf } from '../../policy/enforcement.ts';
import type { Finding } from '../decision.ts';
import type { Breach, BreachCode } from './breaches.ts';

interface Words {
  /** Why it breaks the promise. */
  readonly why: string;
  readonly remedy: string;
}

const words: Readonly<Record<BreachCode, Words>> = {
  'host-network': {
    why: 'on the network of its node a pod is outside the mesh',
    remedy: 'remove hostNetwork',
  },
  'host-processes': {
    why: 'among the processes of its node it can reach the proxies of other pods, and their keys',
    remedy: 'remove it',
  },
  'shared-processes': {
    why: 'it brings containers to the process of the proxy, which holds the keys of the identity',
    remedy: 'remove it, or choose another container',
  },
  privileged: {
    why: 'a privileged container is the master of its node, of all keys and all traffic there',
    remedy: 'remove it, and add the capabilities that are needed one by one',
  },
  capability: {
    why: 'with such a capability a container can go around the proxy, or read its keys',
    remedy: 'remove them',
  },
  'proxy-uid': {
    why: 'what runs as the user or group of the proxy is not led through it',
    remedy: 'choose another number',
  },
  'identity-exposed': {
    why: 'whoever reaches it can have the identity of a pod',
    remedy:
      'remove the mount, or the volume; what needs the files of its node, as agents of nodes do, belongs in an exempt namespace',
  },
  'unprotected-port': {
    why: 'the mesh carries TCP only, so nothing protects what goes there',
    remedy: 'encrypt it in the application, or keep it from the network with a NetworkPolicy',
  },
};

/** Places that a message names; the pod has them all. */
const maxPlaces = 3;

/**
 * @param policies that select the pod
 * @param breachesFor what is new to a policy: of an update, what was there before is no news to those that have let it in
 */
export function requiredEncryptionFindings(
  policies: readonly Policy[],
  breachesFor: (policy: Policy) => readonly Breach[],
  fieldPrefix: string,
): readonly Finding[] {
  return policies
    .filter(({ spec }) => spec.postQuantumEncryption === 'required')
    .flatMap((policy) =>
      [...Map.groupBy(breachesFor(policy), ({ code }) => code)].map(([code, breaches]) =>
        finding(code, breaches, policy, fieldPrefix),
      ),
    );
}

/** One for all breaches of a kind: an object may have ten thousand. */
function finding(
  code: BreachCode,
  breaches: readonly Breach[],
  policy: Policy,
  fieldPrefix: string,
): Finding {
  const { why, remedy } = words[code];
  const places = breaches
    .slice(0, maxPlaces)
    .map(({ field, problem }) => `${fieldPrefix}${field} ${problem}`);
  const others = breaches.length > maxPlaces ? `, and ${breaches.length - maxPlaces} more like it` : '';
  const name = namespacedName(policy);
  return {
    code,
    enforcement: enforcementFor(code, policy),
    policy: name,
    field: `${fieldPrefix}${breaches[0]?.field}`,
    message: `${places.join(', ')}${others}: ${why}, and ${demandOf(name)}; ${remedy}`,
  };
}

/** Denials and warnings cite the rule. */
export function demandOf(policy: NamespacedName): string {
  return `QuantumSecurityPolicy ${policy} demands postQuantumEncryption: required`;
}

/** A declared port is a note to people: without it the same traffic would flow. So it is no reason to refuse a pod. */
function enforcementFor(code: BreachCode, policy: Policy): Enforcement {
  const enforcement = enforcementOf(policy);
  return code === 'unprotected-port' && enforcement === 'enforce' ? 'warn' : enforcement;
}
