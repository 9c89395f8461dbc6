// Socket addresses.

import { create } from '@bufbuild/protobuf';
import { type Address, AddressSchema } from '../../gen/proto/envoy/config/core/v3/address_pb.ts';

/** @param host an IP address, @param port a TCP port. */
export function socketAddress(host: string, port: number): Address {
  return create(AddressSchema, {
    address: {
      case: 'socketAddress',
      value: { address: host, portSpecifier: { case: 'portValue', value: port } },
    },
  });
}
