// The two proxies of a pair. Both are as the mesh configures them where it matters for the cost of a connection and of a
// request (TLS, HTTP/2, RBAC by the peer's SPIFFE ID), static instead of discovered, and the server's answers for the
// application.

import { meshServerName } from '../../src/xds/translate/names.ts';
import { type Credentials, clientId, type Pki, serverId, trustDomain } from './pki.ts';

/** What every request is answered with. */
export const answer = 'bench';
/** Requests for this path make a new connection each. */
export const newConnectionPath = '/new';

const serverName = meshServerName(8080);
const host = '127.0.0.1';
const authzCluster = 'authorizer';

/** @param authorizer socket of the agent that checks counter-signatures */
export function serverConfig(port: number, pki: Pki, authorizer: string | undefined): object {
  const filters = [
    ...(authorizer === undefined ? [] : [counterSignatureFilter]),
    httpConnectionManager(
      {
        codec_type: 'HTTP2',
        forward_client_cert_details: 'SANITIZE_SET',
        set_current_client_cert_details: { uri: true },
        route_config: routes([
          {
            match: { prefix: '/' },
            direct_response: { status: 200, body: { inline_string: answer } },
          },
        ]),
      },
      [rbac],
    ),
  ];
  return {
    listeners: [
      {
        name: 'inbound',
        address: address(port),
        listener_filters: [
          {
            name: 'envoy.filters.listener.tls_inspector',
            typed_config: { '@type': type('extensions.filters.listener.tls_inspector.v3.TlsInspector') },
          },
        ],
        filter_chains: [
          {
            filter_chain_match: { server_names: [serverName] },
            transport_socket: tls('DownstreamTlsContext', commonTls(pki, pki.server), {
              require_client_certificate: true,
              disable_stateless_session_resumption: true,
              disable_stateful_session_resumption: true,
            }),
            filters,
          },
        ],
      },
    ],
    clusters: authorizer === undefined ? [] : [cluster(authzCluster, { pipe: { path: authorizer } })],
  };
}

export function clientConfig(port: number, serverPort: number, pki: Pki): object {
  const toServer = tls('UpstreamTlsContext', commonTls(pki, pki.client, serverId), {
    sni: serverName,
    max_session_keys: 0,
  });
  const mesh = (name: string, options: object = {}): object => ({
    ...cluster(name, address(serverPort), options),
    transport_socket: toServer,
  });
  return {
    listeners: [
      {
        name: 'outbound',
        address: address(port),
        filter_chains: [
          {
            filters: [
              httpConnectionManager({
                codec_type: 'AUTO',
                route_config: routes([
                  { match: { path: newConnectionPath }, route: { cluster: 'new' } },
                  { match: { prefix: '/' }, route: { cluster: 'warm' } },
                ]),
              }),
            ],
          },
        ],
      },
    ],
    clusters: [
      mesh('warm'),
      mesh('new', { common_http_protocol_options: { max_requests_per_connection: 1 } }),
    ],
  };
}

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;

const address = (port: number): object => ({ socket_address: { address: host, port_value: port } });

function cluster(name: string, to: object, options: object = {}): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': type('extensions.upstreams.http.v3.HttpProtocolOptions'),
        explicit_http_config: { http2_protocol_options: {} },
        ...options,
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: to } }] }],
    },
  };
}

function tls(context: string, common: object, specific: object): object {
  const typed = { '@type': type(`extensions.transport_sockets.tls.v3.${context}`) };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: { ...typed, common_tls_context: common, ...specific },
  };
}

function commonTls(pki: Pki, own: Credentials, peerId?: string): object {
  const validator = { '@type': type('extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig') };
  const names = [{ san_type: 'URI', matcher: { exact: peerId } }];
  return {
    tls_params: {
      tls_minimum_protocol_version: 'TLSv1_3',
      tls_maximum_protocol_version: 'TLSv1_3',
      ecdh_curves: [pki.group],
      signature_algorithms: [pki.signature],
    },
    alpn_protocols: ['h2'],
    tls_certificates: [
      { certificate_chain: { inline_string: own.chain }, private_key: { inline_string: own.key } },
    ],
    validation_context: {
      ...(peerId === undefined ? {} : { match_typed_subject_alt_names: names }),
      custom_validator_config: {
        name: 'envoy.tls.cert_validator.spiffe',
        typed_config: {
          ...validator,
          trust_domains: [{ name: trustDomain, trust_bundle: { inline_string: pki.anchor } }],
        },
      },
    },
  };
}

const rbac = {
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': type('extensions.filters.http.rbac.v3.RBAC'),
    rules: {
      action: 'ALLOW',
      policies: {
        storefront: {
          permissions: [{ any: true }],
          principals: [{ authenticated: { principal_name: { exact: clientId } } }],
        },
      },
    },
  },
};

const counterSignatureFilter = {
  name: 'envoy.filters.network.ext_authz',
  typed_config: {
    '@type': type('extensions.filters.network.ext_authz.v3.ExtAuthz'),
    stat_prefix: 'counter_signature',
    transport_api_version: 'V3',
    include_peer_certificate: true,
    grpc_service: { envoy_grpc: { cluster_name: authzCluster }, timeout: '1s' },
  },
};

function routes(list: readonly object[]): object {
  return { name: 'all', virtual_hosts: [{ name: 'all', domains: ['*'], routes: list }] };
}

function httpConnectionManager(specific: object, filters: readonly object[] = []): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'bench',
      ...specific,
      http_filters: [
        ...filters,
        {
          name: 'envoy.filters.http.router',
          typed_config: {
            '@type': type('extensions.filters.http.router.v3.Router'),
            suppress_envoy_headers: true,
          },
        },
      ],
    },
  };
}
