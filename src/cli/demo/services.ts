// What the manifests say runs in the mesh: for each Service the pod behind it, its address, ports and identity.

import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { CliError } from '../errors.ts';

/** A manifest file and its text. */
export interface ManifestFile {
  /** Relative to the manifests directory. */
  readonly path: string;
  readonly text: string;
}

export interface DemoService {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  /** The pod's IP: application, proxy and admin interface are all on it. */
  readonly address: string;
  /** Where the application speaks HTTP. */
  readonly port: number;
  /** Where it speaks a TCP protocol of its own. */
  readonly tcpPorts: readonly number[];
  readonly spiffeId: string;
}

const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
});
const podSchema = z.object({
  metadata,
  spec: z.object({ serviceAccountName: z.string() }),
  status: z.object({ podIP: z.ipv4() }),
});
const serviceSchema = z.object({
  metadata,
  spec: z.object({
    selector: z.record(z.string(), z.string()),
    ports: z.array(z.object({ port: z.number(), appProtocol: z.string().optional() })),
  }),
});

/**
 * The Services of the manifests with exactly one pod each, by name.
 * @throws CliError ERR_CONFIGURATION that names the file
 */
export function readServices(files: readonly ManifestFile[], trustDomain: string): readonly DemoService[] {
  const pods = objects(files, 'Pod', podSchema);
  return objects(files, 'Service', serviceSchema)
    .map((service) => {
      const { name, namespace } = service.metadata;
      const [pod, ...others] = pods.filter(({ metadata: { namespace: own, labels = {} } }) => {
        return (
          own === namespace &&
          Object.entries(service.spec.selector).every(([key, value]) => labels[key] === value)
        );
      });
      const http = service.spec.ports.find(({ appProtocol }) => appProtocol === 'http');
      if (pod === undefined || others.length > 0 || http === undefined) {
        throw new CliError(
          'ERR_CONFIGURATION',
          `Service ${namespace}/${name} needs one pod and a port of appProtocol http`,
          {
            hint: 'restore the manifests, or give --state a new directory',
          },
        );
      }
      return {
        name,
        namespace,
        pod: pod.metadata.name,
        address: pod.status.podIP,
        port: http.port,
        tcpPorts: service.spec.ports.filter((port) => port !== http).map(({ port }) => port),
        spiffeId: `spiffe://${trustDomain}/ns/${namespace}/sa/${pod.spec.serviceAccountName}`,
      };
    })
    .sort((a, b) => a.port - b.port);
}

function objects<T>(files: readonly ManifestFile[], kind: string, schema: z.ZodType<T>): T[] {
  return files.flatMap(({ path, text }) =>
    parseAllDocuments(text).flatMap((document) => {
      const content: unknown = document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 });
      if (document.errors.length > 0 || !isKind(content, kind)) return [];
      const parsed = schema.safeParse(content);
      if (parsed.success) return [parsed.data];
      throw new CliError(
        'ERR_CONFIGURATION',
        `${path}: the ${kind} in it is not one of the demo: ${z.prettifyError(parsed.error)}`,
        {
          hint: 'restore the manifests, or give --state a new directory',
        },
      );
    }),
  );
}

function isKind(content: unknown, kind: string): boolean {
  return typeof content === 'object' && content !== null && 'kind' in content && content.kind === kind;
}
