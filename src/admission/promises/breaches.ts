// What about a pod would break the promise that its connections are post-quantum: what takes it out of the mesh, around its proxy,
// or to the keys of its identity. Facts about the pod alone; whose promise it is, and what comes of it, is not known here.

import { quote } from '../../model/problem.ts';
import type { FindingCode } from '../decision.ts';
import { containersOf, type PlacedContainer } from '../pod/containers.ts';
import type { JudgedPod } from '../pod/pod-of.ts';
import type { Pod, Volume } from '../pod/read-pod.ts';
import { identityMounts } from '../sidecar/identity-mounts.ts';
import { proxyUid, sidecarName } from '../sidecar/names.ts';
import { dangerousCapabilities } from './capabilities.ts';

export type BreachCode = Extract<
  FindingCode,
  | 'host-network'
  | 'host-processes'
  | 'shared-processes'
  | 'privileged'
  | 'capability'
  | 'proxy-uid'
  | 'identity-exposed'
  | 'unprotected-port'
>;

export interface Breach {
  readonly code: BreachCode;
  /** In the pod: `spec.containers[0].securityContext.privileged`. */
  readonly field: string;
  /** What is there, behind the name of the field: `is true`. */
  readonly problem: string;
}

/** @param isSidecar whether the container of a name is the sidecar that the mesh injects: that one may do what the others may not */
export function breachesOf(
  { pod, object }: Pick<JudgedPod, 'pod' | 'object'>,
  isSidecar: (name: string) => boolean,
): readonly Breach[] {
  const containers = containersOf(pod).filter(({ container }) => !isSidecar(container.name));
  return [
    ...ofPod(pod),
    ...pod.spec.volumes.flatMap(ofVolume),
    ...containers.flatMap(ofContainer),
    ...identityMounts(object).map(({ field, volume }) =>
      breach('identity-exposed', field, `is the volume ${quote(volume)}, which is for the sidecar alone`),
    ),
  ];
}

function ofPod({ spec }: Pod): readonly Breach[] {
  const found: Breach[] = [];
  const add = (code: BreachCode, field: string, problem = 'is true') =>
    found.push(breach(code, `spec.${field}`, problem));
  if (spec.hostNetwork === true) add('host-network', 'hostNetwork');
  if (spec.hostPID === true) add('host-processes', 'hostPID');
  if (spec.hostIPC === true) add('host-processes', 'hostIPC');
  if (spec.shareProcessNamespace === true) add('shared-processes', 'shareProcessNamespace');
  const context = spec.securityContext;
  if (context?.windowsOptions?.hostProcess === true) {
    add('host-processes', 'securityContext.windowsOptions.hostProcess');
  }
  const asProxy = `is ${proxyUid}`;
  if (context?.runAsUser === proxyUid) add('proxy-uid', 'securityContext.runAsUser', asProxy);
  if (context?.runAsGroup === proxyUid) add('proxy-uid', 'securityContext.runAsGroup', asProxy);
  // Whoever has a group beside his own can make it his own, by a program that is marked for it (chmod(2), S_ISGID).
  if (context?.fsGroup === proxyUid) add('proxy-uid', 'securityContext.fsGroup', asProxy);
  if (context?.supplementalGroups.includes(proxyUid)) {
    add('proxy-uid', 'securityContext.supplementalGroups', `has ${proxyUid} in it`);
  }
  return found;
}

/**
 * Any directory of the node, as in the baseline Pod Security Standard: beside the kubelet's own and the sockets of container runtimes, a
 * pod becomes master of its node by /dev, by units of systemd, by what root runs at intervals, and by links in what looks harmless.
 */
function ofVolume({ hostPath }: Volume, index: number): readonly Breach[] {
  if (hostPath == null) return [];
  const problem = `is ${quote(hostPath.path)}, and from the files of its node the identities of other pods can be reached`;
  return [breach('identity-exposed', `spec.volumes[${index}].hostPath.path`, problem)];
}

function ofContainer({ container, field }: PlacedContainer): readonly Breach[] {
  const found: Breach[] = [];
  const add = (code: BreachCode, inside: string, problem = 'is true') =>
    found.push(breach(code, `${field}.${inside}`, problem));
  const context = container.securityContext;
  if (context?.privileged === true) add('privileged', 'securityContext.privileged');
  if (context?.windowsOptions?.hostProcess === true) {
    add('host-processes', 'securityContext.windowsOptions.hostProcess');
  }
  const capabilities = dangerousCapabilities(context?.capabilities?.add ?? []);
  if (capabilities.length > 0) {
    const names = capabilities.map((name) => quote(name)).join(' and ');
    add('capability', 'securityContext.capabilities.add', `has ${names} in it`);
  }
  if (context?.runAsUser === proxyUid) add('proxy-uid', 'securityContext.runAsUser', `is ${proxyUid}`);
  if (context?.runAsGroup === proxyUid) add('proxy-uid', 'securityContext.runAsGroup', `is ${proxyUid}`);
  if (container.targetContainerName === sidecarName) {
    add('shared-processes', 'targetContainerName', `is ${sidecarName}`);
  }
  const unprotected = container.ports.find(({ protocol }) => (protocol || 'TCP') !== 'TCP');
  if (unprotected !== undefined) {
    const { containerPort, protocol } = unprotected;
    add('unprotected-port', 'ports', `has ${quote(protocol)} port ${containerPort ?? ''} in it`);
  }
  return found;
}

function breach(code: BreachCode, field: string, problem: string): Breach {
  return { code, field, problem };
}
