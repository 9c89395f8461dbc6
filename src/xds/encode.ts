// From a translated resource to the bytes that every proxy shares.

import { createHash } from 'node:crypto';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Cluster_DiscoveryType, ClusterSchema } from '../gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '../gen/proto/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '../gen/proto/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '../gen/proto/envoy/config/route/v3/route_pb.ts';
import { SecretSchema } from '../gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { WorkloadAuthorizationSchema } from '../gen/proto/trellis/authz/v1/authorization_pb.ts';
import { canonicalBinary } from './canonical.ts';
import { type EncodedResource, type TypeUrl, typeUrls } from './resources.ts';
import { type EnvoyResource, resourceName } from './translate/resources.ts';

/** 128 bits: policy authors influence content, and two contents of one version would keep a proxy on the old one. */
const versionBytes = 16;

/** Encodes resources; the same content gives the same object for as long as anybody holds it. */
export class ResourceEncoder {
  /** Some messages are the same object for many proxies. */
  readonly #ofMessages = new WeakMap<EnvoyResource, EncodedResource>();
  readonly #interned = new Map<string, WeakRef<EncodedResource>>();
  readonly #released = new FinalizationRegistry<string>((version) => {
    if (this.#interned.get(version)?.deref() === undefined) this.#interned.delete(version);
  });

  /** @param resource must not be changed afterwards */
  encode(resource: EnvoyResource): EncodedResource {
    const known = this.#ofMessages.get(resource);
    if (known !== undefined) return known;
    const encoded = this.#encode(resource);
    this.#ofMessages.set(resource, encoded);
    return encoded;
  }

  #encode(resource: EnvoyResource): EncodedResource {
    const { typeUrl, value } = encodeMessage(resource);
    const name = resourceName(resource);
    const version = contentVersion(typeUrl, name, value);
    const interned = this.#interned.get(version)?.deref();
    if (interned !== undefined) return interned;
    const bytes = encodeEntry(typeUrl, name, version, value);
    const encoded: EncodedResource = { typeUrl, name, version, bytes, ...endpointsOf(resource) };
    this.#interned.set(version, new WeakRef(encoded));
    this.#released.register(encoded, version);
    return encoded;
  }
}

function encodeMessage(resource: EnvoyResource): { readonly typeUrl: TypeUrl; readonly value: Uint8Array } {
  switch (resource.$typeName) {
    case 'envoy.extensions.transport_sockets.tls.v3.Secret':
      return { typeUrl: typeUrls.secret, value: canonicalBinary(SecretSchema, resource) };
    case 'envoy.config.listener.v3.Listener':
      return { typeUrl: typeUrls.listener, value: canonicalBinary(ListenerSchema, resource) };
    case 'envoy.config.route.v3.RouteConfiguration':
      return { typeUrl: typeUrls.route, value: canonicalBinary(RouteConfigurationSchema, resource) };
    case 'envoy.config.cluster.v3.Cluster':
      return { typeUrl: typeUrls.cluster, value: canonicalBinary(ClusterSchema, resource) };
    case 'trellis.authz.v1.WorkloadAuthorization':
      return {
        typeUrl: typeUrls.authorization,
        value: canonicalBinary(WorkloadAuthorizationSchema, resource),
      };
    case 'envoy.config.endpoint.v3.ClusterLoadAssignment':
      return { typeUrl: typeUrls.endpoint, value: canonicalBinary(ClusterLoadAssignmentSchema, resource) };
  }
}

function endpointsOf(resource: EnvoyResource): { readonly endpoints?: string } {
  if (resource.$typeName !== 'envoy.config.cluster.v3.Cluster') return {};
  const { clusterDiscoveryType: discovery, edsClusterConfig, name } = resource;
  if (discovery.case !== 'type' || discovery.value !== Cluster_DiscoveryType.EDS) return {};
  return { endpoints: edsClusterConfig?.serviceName || name };
}

/** The value names the resource too, but a version must also hold where it stands. */
function contentVersion(typeUrl: TypeUrl, name: string, value: Uint8Array): string {
  const hash = createHash('sha256').update(typeUrl).update('\0').update(name).update('\0').update(value);
  return hash.digest().subarray(0, versionBytes).toString('base64url');
}

/** envoy.service.discovery.v3.Resource as field 2 of a DeltaDiscoveryResponse. */
function encodeEntry(typeUrl: TypeUrl, name: string, version: string, value: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(version);
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(typeUrl);
  writer.tag(2, WireType.LengthDelimited).bytes(value);
  writer.join();
  writer.tag(3, WireType.LengthDelimited).string(name);
  writer.join();
  return writer.finish();
}
