// The few fields that the mesh reads of Kubernetes' own kinds. Everything else in them is the API server's business
// and is ignored. `null` is what the API server makes of an empty field, so it counts as absent here as well.

import { isIP } from 'node:net';
import { z } from 'zod';
import { isDnsLabel, isDnsSubdomain, isUid } from './names.ts';

/** More than any real object has; bounds the work that one manifest can ask for. */
const maxItems = 10_000;

const list = <T extends z.ZodType>(item: T) => z.array(item).max(maxItems).nullish();
const portNumber = z
  .int()
  .min(1, 'a port is a number from 1 to 65535')
  .max(65_535, 'a port is a number from 1 to 65535');
/** An IP address, or one of the words that stand for "none". */
const ipAddress = (...none: string[]) =>
  z.string().refine((text) => isIP(text) !== 0 || none.includes(text), 'not an IPv4 or IPv6 address');
const transport = z.enum(['TCP', 'UDP', 'SCTP']).nullish();
/** Values such as 1.0 or true need quotes in YAML: Kubernetes refuses them too. */
const stringMap = z.record(z.string(), z.string('labels are strings; put the value in quotes')).nullish();

export const metadata = z.object({
  name: z
    .string('every object needs a name')
    .refine(
      isDnsSubdomain,
      'a name has lower-case letters, digits, - and ., and begins and ends with a letter or digit',
    ),
  namespace: z
    .string()
    .refine(isDnsLabel, 'a namespace has at most 63 lower-case letters, digits and -, and no dot')
    .nullish(),
  uid: z.string().refine(isUid, 'a uid has only letters, digits, ., _ and -').nullish(),
  labels: stringMap,
});

const container = z.object({
  ports: list(z.object({ name: z.string().nullish(), containerPort: portNumber, protocol: transport })),
  restartPolicy: z.string().nullish(),
});

export const pod = z.object({
  spec: z.object({
    serviceAccountName: z.string().refine(isDnsSubdomain, 'not the name of a ServiceAccount').nullish(),
    hostNetwork: z.boolean().nullish(),
    containers: list(container),
    initContainers: list(container),
    volumes: list(
      z.object({
        csi: z.object({ driver: z.string(), readOnly: z.boolean().nullish() }).nullish(),
      }),
    ),
  }),
  status: z
    .object({
      phase: z.string().nullish(),
      podIP: ipAddress('').nullish(),
      podIPs: list(z.object({ ip: ipAddress() })),
    })
    .nullish(),
});

export const service = z.object({
  /** RFC 1035: it is one label of a DNS name, and with a dot would read as a Service of another namespace. */
  metadata: z.object({
    name: z
      .string()
      .refine(
        isDnsLabel,
        'the name of a Service has at most 63 lower-case letters, digits and -, and no dot',
      ),
  }),
  spec: z.object({
    selector: stringMap,
    clusterIP: ipAddress('None', '').nullish(),
    clusterIPs: list(ipAddress('None')),
    ports: list(
      z.object({
        name: z.string().max(63).nullish(),
        port: portNumber,
        targetPort: z
          .union(
            [portNumber, z.string().min(1)],
            'a targetPort is a number from 1 to 65535 or the name of a container port',
          )
          .nullish(),
        protocol: transport,
        appProtocol: z.string().nullish(),
      }),
    ).superRefine(refuseRepeatedPorts),
  }),
});

interface PortIdentity {
  readonly name?: string | null | undefined;
  readonly port: number;
  readonly protocol?: string | null | undefined;
}

/** Endpoints are found by the name of a port, callers reach it by its number: neither may be ambiguous. */
function refuseRepeatedPorts(
  ports: readonly PortIdentity[] | null | undefined,
  context: z.RefinementCtx,
): void {
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, { name, port, protocol }] of (ports ?? []).entries()) {
    const number = `${port}/${protocol ?? 'TCP'}`;
    const refuse = (message: string) => context.addIssue({ code: 'custom', message, path: [index] });
    if (names.has(name ?? '')) {
      refuse(
        name ? 'another port of this Service has the same name' : 'ports need names when there are several',
      );
    }
    if (numbers.has(number)) refuse('another port of this Service has the same number');
    names.add(name ?? '');
    numbers.add(number);
  }
}

export const endpointSlice = z
  .object({
    addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
    endpoints: list(
      z.object({
        // Only the first address has a meaning (discovery.k8s.io/v1); that of an FQDN slice is a name, judged by its type.
        addresses: z.array(z.string()).min(1).max(maxItems),
        conditions: z.object({ ready: z.boolean().nullish() }).nullish(),
        targetRef: z
          .object({ kind: z.string().nullish(), namespace: z.string().nullish(), name: z.string().nullish() })
          .nullish(),
      }),
    ),
    ports: list(z.object({ name: z.string().nullish(), port: portNumber.nullish(), protocol: transport })),
  })
  .superRefine(({ addressType, endpoints }, context) => {
    const family = { IPv4: 4, IPv6: 6, FQDN: 0 }[addressType];
    for (const [index, { addresses }] of (endpoints ?? []).entries()) {
      if (isIP(addresses[0] ?? '') === family) continue;
      const path = ['endpoints', index, 'addresses', 0];
      context.addIssue({ code: 'custom', message: `not an address of type ${addressType}`, path });
    }
  });

export type PodManifest = z.infer<typeof pod>;
export type ServiceManifest = z.infer<typeof service>;
export type EndpointSliceManifest = z.infer<typeof endpointSlice>;
export type Metadata = z.infer<typeof metadata>;
