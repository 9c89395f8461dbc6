// Takes a workload's identity from its agent's socket, as its Envoy does (SDS, the delta variant).

import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { DataSource } from '../../gen/proto/envoy/config/core/v3/base_pb.ts';
import {
  type Secret,
  SecretSchema,
} from '../../gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../../gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { serverStream } from '../../grpc/client.ts';

const method = '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets';
const typeUrl = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
/** The name under which the agent serves the workload's certificate and key. */
const svidSecret = 'default';
const timeoutMs = 10_000;

/** An identity with its key, PEM. It stays in this process. */
export interface ProbeIdentity {
  readonly key: string;
  readonly certificate: string;
}

/** The identity that the agent at this socket serves. Rejects when there is none in time. */
export async function fetchIdentity(socketPath: string): Promise<ProbeIdentity> {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socketPath) });
  session.on('error', () => {});
  try {
    const request = toBinary(
      DeltaDiscoveryRequestSchema,
      create(DeltaDiscoveryRequestSchema, { typeUrl, resourceNamesSubscribe: [svidSecret] }),
    );
    const signal = AbortSignal.timeout(timeoutMs);
    for await (const message of serverStream(session, method, request, { signal })) {
      const { resources } = fromBinary(DeltaDiscoveryResponseSchema, message);
      for (const { resource } of resources) {
        const secret = resource === undefined ? undefined : anyUnpack(resource, SecretSchema);
        if (secret?.name === svidSecret) return identity(secret);
      }
    }
    throw new Error(`the agent at ${socketPath} ended the stream without an identity`);
  } finally {
    session.destroy();
  }
}

function identity(secret: Secret): ProbeIdentity {
  if (secret.type.case !== 'tlsCertificate') throw new Error(`the secret ${secret.name} is no certificate`);
  const { privateKey, certificateChain } = secret.type.value;
  return { key: text(privateKey), certificate: text(certificateChain) };
}

function text(source: DataSource | undefined): string {
  const specifier = source?.specifier;
  if (specifier?.case === 'inlineBytes') return Buffer.from(specifier.value).toString('latin1');
  if (specifier?.case === 'inlineString') return specifier.value;
  throw new Error('a secret that is not inline');
}
