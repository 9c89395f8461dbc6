// Values on either side of each constraint of the QuantumSecurityPolicy schema: specs as YAML. What reads policies from files
// and the API server must say the same about each.

export const id = 'spiffe://cluster.local/ns/trading/sa/gateway';
const pem = `"-----BEGIN PUBLIC KEY-----${'A'.repeat(80)}"`;
const hex = 'ab'.repeat(32);
export const key = `{algorithm: ML-DSA-65, publicKey: ${pem}}`;
const otherKey = `{algorithm: ML-DSA-65, publicKey: ${pem.replace('AA', 'AB')}}`;
const authorities = `[{name: ci, keysets: [{name: ci-2026, keys: [${key}]}]}]`;
export const rule = (to: string) => `{authorization: [{from: [{principals: ["*"]}], to: [${to}]}]}`;
const caller = (principal: string) => `{authorization: [{from: [{principals: ["${principal}"]}]}]}`;
export const image = (fields: string) => `{images: [{match: ["**"], ${fields}}]}`;
const trustedRoot = `trustedRoot: {configMapRef: {name: a, key: b, sha256: "${hex}"}}`;
const keyless = (fields: string) => image(`authorities: [{name: ci, keyless: {${fields}, ${trustedRoot}}}]`);
/** One authority, each of whose keysets has a key from one place. */
const twoKeysets = (one: string, other: string) =>
  image(
    `authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ECDSA-P256, ${one}}]}, {name: b, keys: [{algorithm: ML-DSA-65, kms: "awskms:///alias/y"}, {algorithm: ECDSA-P256, ${other}}]}]}]`,
  );
const attestation = (predicateType: string) =>
  image(`authorities: ${authorities}, attestations: [{predicateType: "${predicateType}"}]`);

export const acceptedSpecs: readonly string[] = [
  '{}',
  '{enforcement: audit, postQuantumEncryption: preferred, quantumAuthentication: hybrid, biometricVerification: optional}',
  '{complianceLevel: FIPS-140-2-L3+}',
  '{selector: {matchLabels: {app: a}, matchExpressions: [{key: app, operator: In, values: [a]}, {key: x, operator: DoesNotExist}]}}',
  '{postQuantumEncryption: required}',
  '{selector: {matchLabels: {app: a}}, postQuantumEncryption: preferred}',
  '{authorization: []}',
  caller(id),
  caller('spiffe://cluster.local/ns/trading/*'),
  caller('spiffe://cluster.local/*'),
  rule('{ports: [1, 65535]}'),
  ...[
    '/',
    '/orders',
    '/orders/',
    '/orders/**',
    '/**',
    '/*/x',
    '/a*b',
    '/*.json',
    '/.well-known/x',
    '/a.b/c..d',
    '/**/x',
  ].map((path) => rule(`{methods: [GET], paths: ["${path}"]}`)),
  `{exceptions: [{host: api.example.com, postQuantumEncryption: preferred, reason: partner}]}`,
  `{revoked: {digests: ["sha256:${hex}"], keys: ["${hex}"]}}`,
  `{revoked: {digests: ["sha512:${hex}${hex}"]}}`,
  image(`authorities: ${authorities}`),
  image(
    `action: verify, authorities: ${authorities}, bindReference: none, attestations: [{predicateType: "https://slsa.dev/provenance/v1", condition: "true"}]`,
  ),
  image('action: deny'),
  image(
    `authorities: [{name: ci, threshold: 2, keysets: [{name: a, notAfter: 2027-03-01T00:00:00Z, keys: [${key}]}, {name: b, keys: [${otherKey}]}]}]`,
  ),
  // Of other authorities, and of the same keyset, a key may be used again.
  image(
    `authorities: [{name: a, keysets: [{name: a, keys: [${key}]}]}, {name: b, keysets: [{name: a, keys: [${key}]}]}]`,
  ),
  twoKeysets('kms: "awskms:///alias/a"', 'kms: "awskms:///alias/b"'),
  twoKeysets(
    `configMapRef: {name: a, key: a, spkiSha256: "${hex}"}`,
    `configMapRef: {name: a, key: a, spkiSha256: "${'cd'.repeat(32)}"}`,
  ),
  ...[
    '**',
    '**/nginx',
    '*/*/nginx',
    '*.example/a',
    '*a*.example:5000/a*b/*',
    'a*/b',
    'localhost/a',
    'localhost:5000/**',
    '10.0.0.1:5000/a',
    'docker.io/library/nginx',
    'registry.example/a_b/c.d/e--f/**',
    'registry.example/**/x/**/*-y',
  ].map((glob) => `{images: [{match: ["${glob}"], action: deny}]}`),
  keyless('issuer: "https://issuer.example", subjectRegExp: "https://git[.]example/.+"'),
  keyless('issuerRegExp: "https://.+", subject: a'),
  keyless('issuerRegExp: "https://.+", subjectRegExp: ".+"'),
  image(
    `authorities: [{name: ci, keyless: {issuer: "https://issuer.example", subject: a, trustedRoot: {configMapRef: {name: a, key: b, sha256: "${hex}"}}}}]`,
  ),
  image(
    `authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ECDSA-P256, kms: "awskms:///alias/ci"}, {algorithm: ML-DSA-87, configMapRef: {name: a, key: b, spkiSha256: "${hex}"}}]}]}]`,
  ),
];

/** With the code of the problem that the file source reports. */
export const refusedSpecs: readonly (readonly [string, string])[] = [
  // one value outside each constraint
  ['InvalidField', '{enforcement: enforced}'],
  ['InvalidField', '{postQuantumEncryption: require}'],
  ['InvalidField', '{quantumAuthentication: required}'],
  ['InvalidField', '{biometricVerification: required}'],
  ['InvalidField', '{complianceLevel: FIPS-140-3-L4}'],
  ['InvalidField', '{postQuantumEncryption: }'],
  ['InvalidField', '{selector: {}}'],
  ['InvalidField', '{selector: {matchLabels: {}}}'],
  ['InvalidField', '{selector: {matchLabels: {app: 1}}}'],
  ['InvalidField', '{selector: {matchExpressions: [{key: a, operator: Is, values: [a]}]}}'],
  ['RuleViolated', '{selector: {matchExpressions: [{key: a, operator: In}]}}'],
  ['RuleViolated', '{selector: {matchExpressions: [{key: a, operator: Exists, values: [a]}]}}'],
  ['RuleViolated', '{selector: {matchLabels: {app: a}}, postQuantumEncryption: required}'],
  ['RuleViolated', '{selector: {matchLabels: {app: a}}, images: [{match: ["**"], action: deny}]}'],
  ['MissingField', '{authorization: [{}]}'],
  ['MissingField', '{authorization: [{from: [{}]}]}'],
  ['InvalidField', '{authorization: [{from: []}]}'],
  ['InvalidField', '{authorization: [{from: [{principals: []}]}]}'],
  ...[
    '**',
    '*/x',
    'gateway',
    'spiffe://',
    'spiffe://cluster.local',
    'spiffe://Cluster/ns',
    `${id}/`,
    `${id}*`,
    'spiffe://td/../x',
    'spiffe://td/./x',
    'spiffe://td//x',
    `${id}?a`,
    `https://td/x`,
    `${id}\\n`,
  ].map((principal): [string, string] => ['InvalidField', caller(principal)]),
  ['InvalidField', rule('{}')],
  ['InvalidField', rule('{ports: []}')],
  ['InvalidField', rule('{ports: [0]}')],
  ['InvalidField', rule('{ports: [65536]}')],
  ['InvalidField', rule('{ports: [1.5]}')],
  ['InvalidField', rule('{ports: ["80"]}')],
  ['InvalidField', rule('{methods: [CONNECT]}')],
  ['InvalidField', rule('{methods: [get]}')],
  ...[
    '',
    'orders',
    '//',
    '/a//b',
    '/.',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a**',
    '/**a',
    '/***',
    '/a?b',
    '/a#b',
    '/%2f',
    '/a b',
    '/é',
  ].map((path): [string, string] => ['InvalidField', rule(`{paths: ["${path}"]}`)]),
  ['MissingField', '{exceptions: [{host: a.example, postQuantumEncryption: preferred}]}'],
  ['InvalidField', '{exceptions: [{host: a.example, postQuantumEncryption: required, reason: x}]}'],
  ...['*.example', 'A.example', 'a.example.', 'a..b', '-a', 'a_b', 'a/b'].map((host): [string, string] => [
    'InvalidField',
    `{exceptions: [{host: "${host}", postQuantumEncryption: disabled, reason: x}]}`,
  ]),
  ['InvalidField', '{revoked: {}}'],
  ['InvalidField', '{revoked: {digests: ["sha256:abc"]}}'],
  // Not registered by the OCI image specification: no image has such a digest.
  ['InvalidField', `{revoked: {digests: ["sha384:${hex}${hex.slice(32)}"]}}`],
  ['InvalidField', `{revoked: {keys: ["${hex.toUpperCase()}"]}}`],
  ['InvalidField', '{images: []}'],
  ['InvalidField', '{images: [{match: [], action: deny}]}'],
  ['RuleViolated', image('')],
  ['RuleViolated', image(`action: allow, authorities: ${authorities}`)],
  ['RuleViolated', image('action: deny, bindReference: none')],
  ['RuleViolated', image('action: deny, attestations: [{predicateType: x}]')],
  ['RuleViolated', image('authorities: [{name: ci}]')],
  ['RuleViolated', image(`authorities: [{name: ci, threshold: 2, keysets: [{name: a, keys: [${key}]}]}]`)],
  ['InvalidField', image(`authorities: [{name: ci, threshold: 0, keysets: [{name: a, keys: [${key}]}]}]`)],
  ['RuleViolated', image('authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ML-DSA-65}]}]}]')],
  [
    'RuleViolated',
    image(
      `authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ML-DSA-65, kms: "awskms:///alias/b", publicKey: ${pem}}]}]}]`,
    ),
  ],
  ['InvalidField', image(`authorities: [{name: ci, keysets: [{name: a, keys: [${key}, ${key}]}]}]`)],
  [
    'InvalidField',
    image(`authorities: [{name: ci, keysets: [{name: a, notAfter: tomorrow, keys: [${key}]}]}]`),
  ],
  [
    'InvalidField',
    image(`authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: RSA, publicKey: ${pem}}]}]}]`),
  ],
  // a host that the control plane's credentials would be sent to
  ...[
    'awskms://elsewhere.example/alias/a',
    'awskms://127.0.0.1:8443/alias/a',
    'http://a/b',
    'gcpkms://a@b/c',
  ].map((kms): readonly [string, string] => [
    'InvalidField',
    image(`authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ML-DSA-65, kms: "${kms}"}]}]}]`),
  ]),
  // one key in two keysets
  ['RuleViolated', twoKeysets(`publicKey: ${pem}`, `publicKey: ${pem}`)],
  ['RuleViolated', twoKeysets('kms: "awskms:///alias/a"', 'kms: "awskms:///alias/a"')],
  [
    'RuleViolated',
    // In a ConfigMap of another name it is the same key.
    twoKeysets(
      `configMapRef: {name: a, key: a, spkiSha256: "${hex}"}`,
      `configMapRef: {name: b, key: b, spkiSha256: "${hex}"}`,
    ),
  ],
  // exactly one of each
  ['RuleViolated', keyless('issuer: "https://issuer.example"')],
  ['RuleViolated', keyless('subject: a')],
  ['RuleViolated', keyless('issuer: "https://issuer.example", issuerRegExp: ".+", subject: a')],
  ['RuleViolated', keyless('issuer: "https://issuer.example", subject: a, subjectRegExp: ".+"')],
  ['InvalidField', keyless(`issuerRegExp: "${'a'.repeat(513)}", subject: a`)],
  ['InvalidField', keyless(`issuerRegExp: a, subjectRegExp: "${'a'.repeat(513)}"`)],
  ['InvalidField', keyless('issuerRegExp: "", subject: a')],
  ['RuleViolated', attestation('https://sigstore.dev/cosign/sign/v1')],
  ...[
    '*',
    'nginx',
    'library/nginx',
    'trading/**',
    'nginx:1.27',
    'docker.io/library/nginx:1.27',
    `docker.io/library/nginx@sha256:${hex}`,
    'docker.io/library/Nginx',
    'Registry.example/a',
    'registry.example',
    'registry.example/',
    '/a',
    'registry.example//a',
    'registry.example/a**',
    'registry.example/**a',
    'registry.example/***',
    'registry**/a',
    '***',
    'https://registry.example/a',
    'registry.example/a b',
    'registry.example/é',
    '',
  ].map((glob): [string, string] => ['InvalidField', `{images: [{match: ["${glob}"], action: deny}]}`]),
];
