// Manifests that are valid, to be changed a little: those of the example, and policies and services with every field.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const example = join(import.meta.dirname, '../../../examples/quantum-trader');

const policy = `
apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: full, namespace: trellis-system, labels: {team: a}}
spec:
  enforcement: warn
  quantumAuthentication: hybrid
  complianceLevel: BSI-TR-02102
  selector:
    matchLabels: {app: web}
    matchExpressions: [{key: tier, operator: NotIn, values: [test]}, {key: app, operator: Exists}]
  quarantine: [spiffe://cluster.local/ns/a/sa/b]
  authorization:
  - from: [{principals: ["*"]}, {principals: [spiffe://cluster.local/ns/a/*]}]
    to: [{ports: [80, 443], methods: [GET, POST], paths: [/a/**, "/b/*/c"]}]
    token: {types: [ML-DSA, JWT-SVID], audiences: [spiffe://cluster.local/ns/a/sa/b], subjects: ["*"]}
    condition: request.method == 'GET'
  - from: [{principals: [spiffe://cluster.local/ns/a/sa/b]}]
    token: {}
  exceptions:
  - {host: a.b.svc.cluster.local, postQuantumEncryption: preferred, reason: legacy}
`;

const images = `
apiVersion: security.quantum.io/v1
kind: QuantumSecurityPolicy
metadata: {name: images, namespace: trading}
spec:
  postQuantumEncryption: preferred
  images:
  - match: [registry.example/**]
    authorities:
    - name: ci
      threshold: 1
      keysets:
      - name: ci-2026
        notAfter: 2027-03-01T00:00:00Z
        keys:
        - {algorithm: ML-DSA-65, kms: awskms:///alias/ci}
        - {algorithm: ECDSA-P256, configMapRef: {name: keys, key: ci.pem, spkiSha256: ${'ab'.repeat(32)}}}
    attestations: [{predicateType: https://slsa.dev/provenance/v1, condition: 'true'}]
  - {match: [docker.io/**], action: deny}
  revoked: {digests: ['sha256:${'cd'.repeat(32)}'], keys: [${'ef'.repeat(32)}]}
`;

const quantumService = `
apiVersion: quantum.io/v1
kind: QuantumService
metadata: {name: web, namespace: trading}
spec:
  selector: {matchLabels: {app: web}}
  ports: [{name: http, port: 80, targetPort: 8080, appProtocol: http}]
`;

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: trading, uid: 0a-1, labels: {app: web, tier: front}}
spec:
  serviceAccountName: web
  hostNetwork: false
  initContainers: [{name: side, restartPolicy: Always, ports: [{containerPort: 9000}]}]
  containers: [{name: app, ports: [{name: http, containerPort: 8080, protocol: TCP}]}]
  volumes: [{name: id, csi: {driver: csi.trellis.quantum.io, readOnly: true}}]
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
`;

const files = (await readdir(example, { recursive: true })).filter((name) => name.endsWith('.yaml')).sort();

/** Texts of manifest files. */
export const manifestTexts: readonly string[] = [
  policy,
  images,
  quantumService,
  pod,
  `{"apiVersion": "v1", "kind": "List", "items": [${JSON.stringify(parseAllDocuments(pod)[0]?.toJS())}]}`,
  'a: &x {b: 1}\nc: *x\nd: {<<: *x, e: [*x, *x]}\n',
  ...(await Promise.all(files.map((name) => readFile(join(example, name), 'utf8')))),
];

/** The objects in them. */
export const manifestContents: readonly unknown[] = manifestTexts
  .flatMap((text) => [...parseAllDocuments(text)])
  .map((document) => (document as { toJS(): unknown }).toJS());

/** Names and values that mean something somewhere in a manifest. */
export const manifestNames: readonly string[] = [
  ...['metadata', 'name', 'namespace', 'labels', 'spec', 'status', 'ports', 'port', 'containers'],
  ...[
    'selector',
    'matchLabels',
    'authorization',
    'from',
    'to',
    'principals',
    'images',
    'match',
    'authorities',
  ],
  ...[
    'endpoints',
    'addresses',
    'targetRef',
    'addressType',
    'podIPs',
    'volumes',
    'csi',
    'traffic',
    'quarantine',
  ],
  ...['token', 'condition', 'types', 'audiences', 'subjects', 'containerPort', 'kind', 'apiVersion', 'items'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length'],
];

export const manifestValues: readonly unknown[] = [
  ...['web', 'trading', '10.0.0.1', 'IPv4', 'Always', '*', '/**', 'v1', 'Pod', 'List', '', 'spiffe://a/b'],
  ...[
    8000,
    0,
    -1,
    65_536,
    1.5,
    null,
    true,
    [],
    {},
    [[]],
    'a'.repeat(5000),
    '{'.repeat(500),
    Array(100).fill(1),
    Array(100).fill({ x: 1 }),
  ],
];

/** Pieces of YAML. */
export const yamlPieces: readonly string[] = [
  ...[
    'a',
    ': ',
    '\n',
    '- ',
    '  ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '&x ',
    '*x',
    '|',
    '>',
    '"',
    "'",
    '!t ',
    '---\n',
    '? ',
  ],
  ...[
    '#',
    'kind: List\n',
    'items:\n',
    '%YAML 1.1\n',
    '\t',
    '<<: ',
    '...\n',
    '\ufeff',
    '\u0000',
    'é',
    '\ud800',
  ],
  ...[
    '1: a\n',
    '"1": a\n',
    'null',
    '~: ',
    '!!binary ',
    '!!set ',
    '\r\n',
    '{'.repeat(300),
    '&y [*y]',
    '*x\u0007',
    '!t\u009b ',
  ],
];
