// Envoy's extension points carry their configuration as google.protobuf.Any.

import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';

/** Packs a message, given in its init shape, into an Any. */
export function any<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

/** A named extension (filter, matcher input, transport socket …), in the shape all of Envoy's extension lists share. */
export function extension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): { name: string; typedConfig: Any } {
  return { name, typedConfig: any(schema, init) };
}

/** The same for the older extension lists, whose configuration is a one-member oneof. */
export function configuredExtension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): { name: string; configType: { case: 'typedConfig'; value: Any } } {
  return { name, configType: { case: 'typedConfig', value: any(schema, init) } };
}
