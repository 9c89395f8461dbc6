// A delta xDS client as the protocol describes it, over nothing but message bytes. It is written from the specification and
// the generated code, and shares no line with the server.

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { NodeSchema } from '../../src/gen/proto/envoy/config/core/v3/base_pb.ts';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';

type RequestInit = MessageInitShape<typeof DeltaDiscoveryRequestSchema>;

export interface Held {
  readonly version: string;
  /** The resource itself, encoded. */
  readonly value: Uint8Array;
}

export interface TypeState {
  wildcard: boolean;
  readonly names: Set<string>;
  readonly held: Map<string, Held>;
  /** Names that the server has said something about since they were last subscribed to. */
  readonly answered: Set<string>;
}

export interface DeltaClientOptions {
  readonly send: (request: Uint8Array) => void;
  /** Why a resource is refused; a response with one that is refused is not applied at all, which is the worst a client may do. */
  readonly refuse?: (typeUrl: string, name: string, value: Uint8Array) => string | undefined;
  /** Decides about the ACK of an applied response: false withholds it until `release`. */
  readonly mayAck?: (typeUrl: string) => boolean;
}

export class DeltaClient {
  readonly types = new Map<string, TypeState>();
  readonly responses: DeltaDiscoveryResponse[] = [];
  #options: DeltaClientOptions;
  #started = new Set<string>();
  #withheld: { readonly typeUrl: string; readonly nonce: string }[] = [];

  constructor(options: DeltaClientOptions) {
    this.#options = options;
  }

  held(typeUrl: string): ReadonlyMap<string, Held> {
    return this.#type(typeUrl).held;
  }

  wants(typeUrl: string, name: string): boolean {
    const { wildcard, names } = this.#type(typeUrl);
    return wildcard || names.has(name);
  }

  /** The first request of a type without names: all there is. */
  subscribeLegacyWildcard(typeUrl: string): void {
    this.#type(typeUrl).wildcard = true;
    this.#request(typeUrl, {});
  }

  subscribe(typeUrl: string, names: readonly string[]): void {
    const type = this.#type(typeUrl);
    for (const name of names) {
      if (name === '*') type.wildcard = true;
      else type.names.add(name);
      type.answered.delete(name);
    }
    this.#request(typeUrl, { resourceNamesSubscribe: [...names] });
  }

  /** Drops what it holds of these names, as Envoy does, and relies on the server to say what "all" still includes. */
  unsubscribe(typeUrl: string, names: readonly string[]): void {
    const type = this.#type(typeUrl);
    for (const name of names) {
      if (name === '*') type.wildcard = false;
      else type.names.delete(name);
      type.held.delete(name);
      type.answered.delete(name);
    }
    for (const name of type.held.keys()) if (!this.wants(typeUrl, name)) type.held.delete(name);
    this.#request(typeUrl, { resourceNamesUnsubscribe: [...names] });
  }

  receive(message: Uint8Array): void {
    const response = fromBinary(DeltaDiscoveryResponseSchema, message);
    this.responses.push(response);
    const { typeUrl, nonce } = response;
    const type = this.#type(typeUrl);
    for (const name of [
      ...response.resources.map((resource) => resource.name),
      ...response.removedResources,
    ]) {
      if (this.wants(typeUrl, name)) type.answered.add(name);
    }
    const refused = this.#refusal(response);
    if (refused !== undefined) {
      this.#request(typeUrl, { responseNonce: nonce, errorDetail: { code: 3, message: refused } });
      return;
    }
    for (const { name, version, resource } of response.resources) {
      if (this.wants(typeUrl, name))
        type.held.set(name, { version, value: resource?.value ?? new Uint8Array() });
    }
    for (const name of response.removedResources) type.held.delete(name);
    if (this.#options.mayAck?.(typeUrl) === false) this.#withheld.push({ typeUrl, nonce });
    else this.ack(typeUrl, nonce);
  }

  ack(typeUrl: string, responseNonce: string): void {
    this.#request(typeUrl, { responseNonce });
  }

  /** Sends the ACKs that were withheld and now may go. */
  release(): void {
    const [go, wait] = [true, false].map((may) =>
      this.#withheld.filter(({ typeUrl }) => (this.#options.mayAck?.(typeUrl) ?? true) === may),
    );
    this.#withheld = wait ?? [];
    for (const { typeUrl, nonce } of go ?? []) this.ack(typeUrl, nonce);
  }

  /** A new stream: says again what it wants, and what it has. */
  reconnect(send: (request: Uint8Array) => void): void {
    this.#options = { ...this.#options, send };
    this.#started = new Set();
    this.#withheld = [];
    for (const [typeUrl, type] of this.types) {
      if (!type.wildcard && type.names.size === 0) continue;
      type.answered.clear();
      const resourceNamesSubscribe = [...(type.wildcard ? ['*'] : []), ...type.names];
      const versions = [...type.held].map(([name, { version }]) => [name, version] as const);
      for (const [name] of versions) type.answered.add(name);
      this.#request(typeUrl, {
        resourceNamesSubscribe,
        initialResourceVersions: Object.fromEntries(versions),
      });
    }
  }

  #type(typeUrl: string): TypeState {
    const known = this.types.get(typeUrl);
    if (known !== undefined) return known;
    const type = { wildcard: false, names: new Set<string>(), held: new Map(), answered: new Set<string>() };
    this.types.set(typeUrl, type);
    return type;
  }

  #refusal({ typeUrl, resources }: DeltaDiscoveryResponse): string | undefined {
    for (const { name, resource } of resources) {
      const refused = this.#options.refuse?.(typeUrl, name, resource?.value ?? new Uint8Array());
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  #request(typeUrl: string, fields: Omit<RequestInit, '$typeName' | 'typeUrl'>): void {
    const first = this.#started.size === 0;
    this.#started.add(typeUrl);
    const request = create(DeltaDiscoveryRequestSchema, { ...fields, typeUrl });
    // Claims about itself, which the server must not even look at.
    if (first) request.node = create(NodeSchema, { id: 'somebody', cluster: 'else' });
    this.#options.send(toBinary(DeltaDiscoveryRequestSchema, request));
  }
}
