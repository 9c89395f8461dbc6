// envoy.service.discovery.v3.DeltaDiscoveryResponse: a small head of its own and the shared bytes of its resources.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { TypeUrl } from './resources.ts';

export interface ResponseHead {
  readonly typeUrl: TypeUrl;
  readonly nonce: string;
  /** For people: which state of the mesh this belongs to. */
  readonly systemVersion: string;
  readonly removed: readonly string[];
}

/** Everything but field 2, the resources; protobuf fields may stand in any order. */
export function encodeResponseHead(head: ResponseHead): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(head.systemVersion);
  writer.tag(4, WireType.LengthDelimited).string(head.typeUrl);
  writer.tag(5, WireType.LengthDelimited).string(head.nonce);
  for (const name of head.removed) writer.tag(6, WireType.LengthDelimited).string(name);
  return writer.finish();
}
