// Which HTTP version a cluster speaks upstream.

import type { Any } from '@bufbuild/protobuf/wkt';
import { HttpProtocolOptionsSchema } from '../../gen/proto/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import type { AppProtocol } from '../../model/mesh.ts';
import { any } from './any.ts';
import { connectionAge, http2Options } from './http.ts';
import type { MeshSettings } from './settings.ts';

const optionsKey = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Towards an application (or a peer outside the mesh): what it speaks itself. */
export function applicationProtocol(protocol: AppProtocol): Record<string, Any> {
  switch (protocol) {
    case 'tcp':
      return {};
    case 'http':
      return http1;
    case 'http2':
      return http2;
  }
}

/** Towards another proxy: always HTTP/2, on connections no older than the SVIDs at their ends. */
export function meshProtocol(settings: MeshSettings): Record<string, Any> {
  return options({ case: 'http2ProtocolOptions', value: http2Options }, connectionAge(settings));
}

type ProtocolConfig =
  | { case: 'httpProtocolOptions'; value: Record<string, never> }
  | { case: 'http2ProtocolOptions'; value: typeof http2Options };

function options(
  protocolConfig: ProtocolConfig,
  commonHttpProtocolOptions?: ReturnType<typeof connectionAge>,
): Record<string, Any> {
  return {
    [optionsKey]: any(HttpProtocolOptionsSchema, {
      ...(commonHttpProtocolOptions === undefined ? {} : { commonHttpProtocolOptions }),
      upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig } },
    }),
  };
}

const http1 = options({ case: 'httpProtocolOptions', value: {} });
const http2 = options({ case: 'http2ProtocolOptions', value: http2Options });
