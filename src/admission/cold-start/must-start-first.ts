// Pods that others cannot start or work without, by what they have and not by what somebody called them.

import { parseReference } from '../../registry/reference.ts';
import { imagesOf } from '../pod/images.ts';
import type { ClusterObjects, Workload } from './cluster-objects.ts';
import { podsBehind } from './guards.ts';

export type Role = 'network' | 'dns' | 'registry' | 'storage' | 'critical';

/** Undefined: nothing that shows here depends on it. */
export function roleOf(workload: Workload, objects: ClusterObjects): Role | undefined {
  if (workload.kind === 'DaemonSet' && hasHostPath(workload, isOfCni)) return 'network';
  if (isBehind(workload, objects, ({ labels }) => labels['k8s-app'] === dnsLabel)) return 'dns';
  const hosts = registryHosts(objects);
  if (isBehind(workload, objects, ({ name, namespace }) => hosts.has(`${name}.${namespace}`))) {
    return 'registry';
  }
  if (workload.kind === 'DaemonSet' && hasHostPath(workload, isOfPlugins)) return 'storage';
  return criticalClasses.includes(workload.priorityClass ?? '') ? 'critical' : undefined;
}

/** What kubeadm and the clouds call the Service of cluster DNS, whatever answers there. */
const dnsLabel = 'kube-dns';

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

function isBehind(
  workload: Workload,
  objects: ClusterObjects,
  matches: (service: ClusterObjects['services'][number]) => boolean,
): boolean {
  return objects.services.some((each) => matches(each) && podsBehind(each, objects).includes(workload));
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
