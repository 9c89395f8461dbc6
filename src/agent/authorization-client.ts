// Keeps the agent in step with how its workload authorizes requests: one resource of the delta discovery protocol, on a
// stream of the agent's own beside the one it relays for its proxy.

import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import { type ClientStream, openBidiStream } from '../grpc/client.ts';
import { status } from '../grpc/status.ts';
import { authorizationDiscoveryPath, authorizationName } from '../xds/agreed-names.ts';
import { typeUrls } from '../xds/resources.ts';
import { backoffMs } from './backoff.ts';

export interface AuthorizationClientOptions {
  /** The connection to the control plane, as soon as there is one. */
  readonly ready: () => Promise<ClientHttp2Session>;
  /** What the agent says about the stream: which workload it is for. */
  readonly headers: () => Readonly<Record<string, string>>;
  /**
   * Takes the resource into use instead of the one before; undefined when there is none any more.
   * @throws whatever is wrong with it: the control plane is told (NACK)
   */
  readonly adopt: (resource: Uint8Array | undefined) => void;
  readonly onFailure: (error: unknown) => void;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Runs until the agent stops. What was adopted last stays in force while there is no stream. */
export async function followAuthorization(options: AuthorizationClientOptions): Promise<void> {
  const { ready, random, signal, onFailure } = options;
  let version: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const session = await ready();
      for await (const heard of followOnce(session, version, options)) {
        version = heard.version;
        failures = 0;
      }
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
    await sleep(backoffMs(failures, random), undefined, { signal }).catch(() => {});
    failures += 1;
  }
}

interface Heard {
  /** Of the resource that is in use; undefined when there is none. */
  readonly version: string | undefined;
}

async function* followOnce(
  session: ClientHttp2Session,
  initialVersion: string | undefined,
  { headers, adopt, signal }: AuthorizationClientOptions,
): AsyncGenerator<Heard, void, undefined> {
  const stream = openBidiStream(session, authorizationDiscoveryPath, { headers: headers() });
  const stop = (): void => stream.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    let version = initialVersion;
    send(stream, {
      resourceNamesSubscribe: [authorizationName],
      initialResourceVersions: version === undefined ? {} : { [authorizationName]: version },
    });
    for await (const message of stream.messages) {
      const response = fromBinary(DeltaDiscoveryResponseSchema, message);
      const refusal = reasonOf(() => {
        for (const { name, resource, version: next } of response.resources) {
          if (name !== authorizationName || resource === undefined) continue;
          // What is refused leaves nothing in use, so that the next stream asks for whatever there is.
          version = undefined;
          adopt(resource.value);
          version = next;
        }
        if (!response.removedResources.includes(authorizationName)) return;
        version = undefined;
        adopt(undefined);
      });
      send(stream, {
        responseNonce: response.nonce,
        ...(refusal === undefined ? {} : { errorDetail: { code: status.invalidArgument, message: refusal } }),
      });
      yield { version };
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stream.cancel();
  }
}

type RequestInit = Omit<MessageInitShape<typeof DeltaDiscoveryRequestSchema>, '$typeName' | 'typeUrl'>;

function send(stream: ClientStream, fields: RequestInit): void {
  const request = create(DeltaDiscoveryRequestSchema, { ...fields, typeUrl: typeUrls.authorization });
  stream.write(toBinary(DeltaDiscoveryRequestSchema, request));
}

function reasonOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
