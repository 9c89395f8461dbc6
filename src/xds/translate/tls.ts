// The TLS contexts between proxies: TLS 1.3, one hybrid key-exchange group, ML-DSA certificates on both sides, no
// resumption. Nothing here is negotiable, which is why there is no option for it.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { meshTls, signatureAlgorithms } from '../../crypto/algorithms.ts';
import {
  ApiConfigSource_ApiType,
  ApiVersion,
} from '../../gen/proto/envoy/config/core/v3/config_source_pb.ts';
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from '../../gen/proto/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { CommonTlsContextSchema } from '../../gen/proto/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../gen/proto/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import {
  agentClusterName,
  optionalTrustBundleSecretName,
  svidSecretName,
  trustBundleSecretName,
} from '../agreed-names.ts';
import { configuredExtension } from './any.ts';
import { meshServerName } from './names.ts';

const transportSocketName = 'envoy.transport_sockets.tls';

const tlsParams = {
  // Envoy's client side defaults to TLS 1.2 at most, and then offers no post-quantum group at all.
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
  ecdhCurves: [meshTls.group],
  // What the *peer* may sign the handshake with. Envoy never offers ML-DSA unless told to.
  signatureAlgorithms: [signatureAlgorithms[meshTls.signature].tlsName],
};

function secret(name: string) {
  return {
    name,
    sdsConfig: {
      resourceApiVersion: ApiVersion.V3,
      configSourceSpecifier: {
        case: 'apiConfigSource' as const,
        value: {
          apiType: ApiConfigSource_ApiType.DELTA_GRPC,
          transportApiVersion: ApiVersion.V3,
          grpcServices: [
            { targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: agentClusterName } } },
          ],
        },
      },
    },
  };
}

type CommonTls = MessageInitShape<typeof CommonTlsContextSchema>;

function commonContext(pinnedIds: readonly string[], bundle: string): CommonTls {
  return {
    tlsParams,
    alpnProtocols: ['h2'],
    tlsCertificateSdsSecretConfigs: [secret(svidSecretName)],
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: pinnedIds.map((id) => ({
            sanType: SubjectAltNameMatcher_SanType.URI,
            matcher: { matchPattern: { case: 'exact', value: id } },
          })),
        },
        validationContextSdsSecretConfig: secret(bundle),
      },
    },
  };
}

/**
 * Server side. `requireClientCertificate: false` still verifies a certificate that is shown; it needs the other form of
 * the trust bundle, because Envoy's SPIFFE validator refuses a client without a certificate whatever this field says.
 */
export function downstreamTls(requireClientCertificate: boolean) {
  return requireClientCertificate ? withClientCertificate : withOrWithoutClientCertificate;
}

const withClientCertificate = downstreamContext(true);
const withOrWithoutClientCertificate = downstreamContext(false);

function downstreamContext(requireClientCertificate: boolean) {
  return configuredExtension(transportSocketName, DownstreamTlsContextSchema, {
    commonTlsContext: commonContext(
      [],
      requireClientCertificate ? trustBundleSecretName : optionalTrustBundleSecretName,
    ),
    requireClientCertificate,
    // A resumed session skips certificates and with them revocation and expiry; tickets also grow the handshake by
    // the client's chain, 13–23 KB.
    sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true },
    disableStatefulSessionResumption: true,
  });
}

/**
 * Client side.
 * @param serverIds the SPIFFE IDs that may answer; must not be empty, since Envoy reads an empty list as "anyone".
 */
export function upstreamTls(port: number, serverIds: readonly string[]) {
  if (serverIds.length === 0) throw new RangeError('an outbound cluster needs at least one server identity');
  return configuredExtension(transportSocketName, UpstreamTlsContextSchema, {
    commonTlsContext: commonContext(serverIds, trustBundleSecretName),
    sni: meshServerName(port),
    maxSessionKeys: 0,
  });
}
