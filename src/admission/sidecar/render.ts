// The sidecar of a pod: stock Envoy as a native sidecar (an init container that restarts: it starts before every other container
// and ends after them), and its two volumes. A pure function, because admission renders it again to see whether what it finds
// in a pod is that. Each field that the API server would fill in is written out: what was stored equals what was rendered.

import { envoyBootstrap } from '../../agent/bootstrap.ts';
import { identityDriver } from '../../model/read-core.ts';
import {
  agentDirectory,
  agentVolume,
  proxyDirectory,
  proxyUid,
  proxyVolume,
  sidecarName,
  tokenDirectory,
} from './names.ts';
import type { JsonObject } from './pod-object.ts';
import type { SidecarRevision } from './settings.ts';

export interface RenderedSidecar {
  /** The first of `spec.initContainers`. */
  readonly container: JsonObject;
  /** Of `spec.volumes`, wherever they stand there. */
  readonly volumes: readonly JsonObject[];
}

/** Both images of Envoy, the distroless one too, have it there. The one with a shell has an entry point that reads the environment. */
const envoyProgram = '/usr/local/bin/envoy';

/** Envoy's own default is one per core of the node, whatever share of it the pod has. */
const workerThreads = 2;

/** It holds one socket. */
const proxyVolumeSize = '1Mi';

/** All of it is made anew: what somebody does to one pod must not change what others are compared with. */
export function renderSidecar(revision: SidecarRevision): RenderedSidecar {
  return {
    container: {
      name: sidecarName,
      image: revision.image,
      imagePullPolicy: 'IfNotPresent',
      command: [envoyProgram],
      args: envoyArguments(),
      env: [
        fromField('POD_NAMESPACE', 'metadata.namespace'),
        fromField('POD_NAME', 'metadata.name'),
        // For those who look at a pod; Envoy does not read it.
        { name: 'TRELLIS_REVISION', value: revision.name },
      ],
      resources: resources(),
      restartPolicy: 'Always',
      securityContext: securityContext(),
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'FallbackToLogsOnError',
      volumeMounts: [
        { name: agentVolume, mountPath: agentDirectory, readOnly: true },
        { name: proxyVolume, mountPath: proxyDirectory },
        // Envoy needs no token of the API server's: the ServiceAccount plugin mounts none where something is mounted already.
        { name: proxyVolume, mountPath: tokenDirectory, readOnly: true },
      ],
    },
    volumes: [
      { name: agentVolume, csi: { driver: identityDriver, readOnly: true } },
      { name: proxyVolume, emptyDir: { medium: 'Memory', sizeLimit: proxyVolumeSize } },
    ],
  };
}

/**
 * Envoy at rest is at about 66 MB. No limit for the CPU: throttled, it would add latency to every call. The limit for the memory is
 * for the other pods of the node, and far from what a busy proxy needs.
 */
function resources(): object {
  return { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '1Gi' } };
}

/** As Pod Security Standards, "Restricted", demands it, and nothing on disk to write to. */
function securityContext(): object {
  return {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsGroup: proxyUid,
    runAsNonRoot: true,
    runAsUser: proxyUid,
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** The same for all pods, and by far the longest part of a sidecar: encoded once. */
const bootstrap = JSON.stringify(
  envoyBootstrap({
    socket: `${agentDirectory}/agent.sock`,
    // The kubelet puts the names in. They are DNS names: they cannot end the string that they stand in.
    nodeId: '$(POD_NAMESPACE)/$(POD_NAME)',
    admin: { kind: 'pipe', path: `${proxyDirectory}/admin.sock` },
  }),
);

function envoyArguments(): readonly string[] {
  return [
    ...['--config-yaml', bootstrap],
    ...['--concurrency', String(workerThreads)],
    ...['--log-level', 'warning'],
    // It would want shared memory, and a second Envoy to hand over to.
    '--disable-hot-restart',
  ];
}

function fromField(name: string, fieldPath: string): object {
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}
