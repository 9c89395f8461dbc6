// Pods that others cannot start or work without, by what they have and not by what somebody called them.

import { parseReference } from '../../registry/reference.ts';
import { imagesOf } from '../pod/images.ts';
import type { ClusterObjects, Service, Workload } from './cluster-objects.ts';
import { podsBehind } from './guards.ts';

export type Role = 'network' | 'dns' | 'registry' | 'storage' | 'critical';

/** Every cluster has them, if not always as pods. */
export const rolesOfEveryCluster: readonly Role[] = ['network', 'dns'];

/** Of those on which something that shows here depends. */
export function rolesOf(objects: ClusterObjects): ReadonlyMap<Workload, Role> {
  const hosts = registryHosts(objects);
  const dns = behind(objects, isOfDns);
  const registries = behind(objects, ({ name, namespace }) => hosts.has(`${name}.${namespace}`));
  const roleOf = (workload: Workload): Role | undefined => {
    const onNodes = workload.kind === 'DaemonSet';
    if (onNodes && hasHostPath(workload, isOfCni)) return 'network';
    if (dns.has(workload)) return 'dns';
    if (registries.has(workload)) return 'registry';
    if (onNodes && hasHostPath(workload, isOfPlugins)) return 'storage';
    return criticalClasses.includes(workload.priorityClass ?? '') ? 'critical' : undefined;
  };
  return new Map(
    objects.workloads.flatMap((workload) => {
      const role = roleOf(workload);
      return role === undefined ? [] : [[workload, role] as const];
    }),
  );
}

/**
 * What kubeadm and the clouds label the Service of cluster DNS with, whatever answers there; or, as others leave that out, the address
 * that kubelets are told by convention: the tenth of the network of Services. Other servers of DNS are somebody's application.
 */
function isOfDns({ labels, addresses, udpPorts }: Service): boolean {
  if (labels['k8s-app'] === 'kube-dns') return true;
  return udpPorts.includes(dnsPort) && addresses.some((address) => /(?:\.10|:a)$/.test(address));
}

const dnsPort = 53;

/** Built in (scheduling.k8s.io): what a node, or the cluster, does not work without. */
const criticalClasses = ['system-node-critical', 'system-cluster-critical'];

function hasHostPath({ pod }: Workload, matches: (path: string) => boolean): boolean {
  return pod.spec.volumes.some(({ hostPath }) => hostPath != null && matches(hostPath.path));
}

/** Where container runtimes look for network plugins: /etc/cni/net.d and /opt/cni/bin, below another root in some distributions. */
function isOfCni(path: string): boolean {
  return path.split('/').includes('cni');
}

/** Where the kubelet meets CSI drivers, below its root (/var/lib/kubelet unless it was told another). */
function isOfPlugins(path: string): boolean {
  return /\/(?:plugins|plugins_registry)(?:\/|$)/.test(path);
}

/** What makes the pods behind some Services. */
function behind(objects: ClusterObjects, matches: (service: Service) => boolean): ReadonlySet<Workload> {
  return new Set(objects.services.filter(matches).flatMap((each) => podsBehind(each, objects)));
}

/** `name.namespace` of the Services that images are pulled from, by the names of cluster DNS. */
function registryHosts({ workloads }: ClusterObjects): ReadonlySet<string> {
  const texts = workloads.flatMap(({ pod }) => imagesOf(pod).flatMap(({ text }) => text ?? []));
  return new Set(texts.flatMap(serviceOfImage));
}

function serviceOfImage(image: string): readonly string[] {
  try {
    const [, service] = /^([^.]+\.[^.]+)\.svc(?:[.:]|$)/.exec(parseReference(image).registry) ?? [];
    return service === undefined ? [] : [service];
  } catch {
    // Nothing that a registry is named in.
    return [];
  }
}
