// demo.json: where everything is, for programs that want to be pointed at a running demo.

import { adminPort } from './envoy-admin.ts';
import type { RunningMesh } from './running-mesh.ts';
import { inboundPort } from './tls-client.ts';
import { outboundPort } from './workload-client.ts';

export interface DemoJson {
  readonly services: readonly {
    readonly name: string;
    readonly namespace: string;
    readonly address: string;
    readonly inboundPort: number;
    readonly outboundPort: number;
    readonly adminPort: number;
    readonly spiffeId: string;
  }[];
  /** Path of the PEM file. */
  readonly trustBundle: string;
  /** `host:port` */
  readonly controlPlane: string;
  /** `host:port` */
  readonly metrics: string;
}

export function demoJson(mesh: Pick<RunningMesh, 'services' | 'trustBundleFile' | 'controlPlane'>): DemoJson {
  return {
    services: mesh.services.map(({ name, namespace, address, spiffeId }) => ({
      name,
      namespace,
      address,
      inboundPort,
      outboundPort,
      adminPort,
      spiffeId,
    })),
    trustBundle: mesh.trustBundleFile,
    controlPlane: mesh.controlPlane.listen,
    metrics: mesh.controlPlane.metrics,
  };
}
