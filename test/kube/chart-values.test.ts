// What the chart renders from which values, and what it refuses, in words that help.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type JudgedKind, judgedKinds } from '../../src/admission/pod/judged-kinds.ts';
import { duration } from '../../src/cli/options.ts';
import { createCustomResourceValidator } from '../../src/model/crd-validator.ts';
import { readCustomResourceDefinitions } from '../../src/sources/crds.ts';
import { onEnd } from '../support/cleanup.ts';
import {
  chartDirectory,
  containerArgs,
  type Helm,
  imageValues,
  one,
  releaseNamespace,
  render,
  startHelm,
} from '../support/helm.ts';

const digest = `sha256:${'b'.repeat(64)}`;
const certificate = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n';

let helm: Helm;

beforeAll(async () => {
  helm = await startHelm();
});

const peers = [
  { ipBlock: { cidr: '10.0.0.0/28', except: ['10.0.0.3/32'] } },
  {
    namespaceSelector: { matchLabels: { a: 'b' } },
    podSelector: { matchLabels: { app: 'konnectivity-agent' } },
  },
];

const everything = {
  image: { ...imageValues, tag: '0.1.0', pullSecrets: ['pull'] },
  exemptNamespaces: ['kube-system', 'cni'],
  sidecar: {
    image: `registry.example/envoy@${digest}`,
    acceptedImages: [`registry.example/envoy@${imageValues.digest}`],
  },
  webhook: {
    ...{ bindAddress: '::', cacheMebibytes: 1024, recheckInterval: '1h30m', logLevel: 'debug' },
    certificate: { mode: 'provided', provided: { secretName: 'own', caBundle: certificate } },
    registries: {
      ...{ ca: certificate, mirrors: ['docker.io=mirror.example/hub'], plainHttp: ['registry.local:5000'] },
      credentialsSecret: 'pull',
      allowedAddresses: ['127.0.0.0/8'],
    },
    clientCa: certificate,
    pullSecrets: { namespaces: ['trading'] },
    keyConfigMaps: { namespaces: [] },
    serviceAccount: { annotations: { 'example.com/role': 'kms' } },
    env: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' }],
    ...{ podAnnotations: { a: 'b' }, nodeSelector: { a: 'b' }, tolerations: [{ operator: 'Exists' }] },
    priorityClassName: '',
  },
  controlPlane: { enabled: true, storage: { existingClaim: 'ca', storageClassName: 'fast' } },
  networkPolicy: { enabled: true, from: peers },
};

test('lint has no complaint, with the values as they come and with all of them set', async () => {
  for (const values of [{ image: imageValues }, everything]) {
    const linted = await helm(['lint', '--strict', chartDirectory], values);
    expect(linted).toMatchObject({ status: 0, stdout: expect.not.stringMatching(/WARN|ERROR/) });
  }
});

test('every value that there is has its place in the schema', async () => {
  const schema = JSON.parse(await readFile(join(chartDirectory, 'values.schema.json'), 'utf8'));
  const values = parse(await readFile(join(chartDirectory, 'values.yaml'), 'utf8'));
  const missing = (node: Record<string, unknown>, value: unknown, path: string): string[] => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
    const properties = node['properties'] as Record<string, Record<string, unknown>> | undefined;
    // A map of the user's own, or a policy, which need not have all fields that there are.
    if (properties === undefined || path === 'values.defaultPolicy.spec') return [];
    const own = node['additionalProperties'] === false ? [] : [`${path} takes anything`];
    const names = [...new Set([...Object.keys(value), ...Object.keys(properties)])].filter(
      (key) => key !== 'global',
    );
    return own.concat(
      names.flatMap((key) => {
        const [property, below] = [properties[key], (value as Record<string, unknown>)[key]];
        return property === undefined || below === undefined
          ? [`${path}.${key}`]
          : missing(property, below, `${path}.${key}`);
      }),
    );
  };
  expect(missing(schema, values, 'values')).toEqual([]);
});

describe('refused:', () => {
  const webhook = (values: object) => ({ webhook: values });
  const defaultPolicy = (spec: object) => ({ defaultPolicy: { spec } });
  const provided = (values: object) => webhook({ certificate: { mode: 'provided', provided: values } });
  test.each<[string, object, RegExp]>([
    [
      'no image',
      { image: {} },
      /image\.repository is not set\. No container image of Trellis is published yet/,
    ],
    ['neither tag nor digest', { image: { repository: 'a' } }, /image\.tag and image\.digest are not set/],
    ['a digest that is none', { image: { ...imageValues, digest: 'sha256:12' } }, /at '\/image\/digest'/],
    ['an unknown value', { webhok: {} }, /additional properties 'webhok' not allowed/],
    [
      'one further down',
      webhook({ failurePolicy: 'Ignore' }),
      /at '\/webhook': additional properties 'failurePolicy'/,
    ],
    [
      'more than API servers wait',
      webhook({ timeoutSeconds: 60 }),
      /at '\/webhook\/timeoutSeconds': maximum: got 60, want 30/,
    ],
    ['a number in words', webhook({ replicas: 'two' }), /at '\/webhook\/replicas': got string, want integer/],
    ['no replica', webhook({ replicas: 0 }), /at '\/webhook\/replicas': minimum/],
    ['a namespace that is none', { exemptNamespaces: ['Kube System'] }, /at '\/exemptNamespaces\/0'/],
    ['all namespaces exempt', { exemptNamespaces: ['*'] }, /at '\/exemptNamespaces\/0'/],
    [
      'a network policy for nobody in particular',
      { networkPolicy: { enabled: true, from: [{}] } },
      /at '\/networkPolicy\/from\/0': minProperties/,
    ],
    [
      'an address for a network',
      { networkPolicy: { enabled: true, from: [{ ipBlock: { cidr: '10.0.0.1' } }] } },
      /at '\/networkPolicy\/from\/0\/ipBlock\/cidr'/,
    ],
    [
      'a network policy that is not made',
      { networkPolicy: { from: peers } },
      /means nothing without networkPolicy\.enabled/,
    ],
    ['a sidecar by tag', { sidecar: { image: 'envoyproxy/envoy:v1.40.0' } }, /at '\/sidecar\/image'/],
    [
      'other sidecars only',
      { sidecar: { acceptedImages: [`a/b@${digest}`] } },
      /means nothing without sidecar\.image/,
    ],
    [
      'an unknown mode',
      webhook({ certificate: { mode: 'none' } }),
      /at '\/webhook\/certificate\/mode': value must be one of/,
    ],
    [
      'cert-manager without issuer',
      webhook({ certificate: { mode: 'cert-manager' } }),
      /needs .*issuerRef\.name/,
    ],
    [
      'a certificate of one’s own without a Secret',
      provided({ caBundle: certificate }),
      /needs .*provided\.secretName/,
    ],
    ['… without CAs', provided({ secretName: 'own' }), /needs .*caBundle: without it API servers/],
    [
      '… with CAs that are none',
      provided({ secretName: 'own', caBundle: 'a' }),
      /at '\/webhook\/certificate\/provided\/caBundle'/,
    ],
    [
      '… that would not be used',
      webhook({ certificate: { provided: { secretName: 'own' } } }),
      /would not be used: set webhook\.certificate\.mode to provided/,
    ],
    ['a duration that is none', webhook({ recheckInterval: 'hourly' }), /at '\/webhook\/recheckInterval'/],
    ['a pause of nothing', webhook({ recheckInterval: '0s' }), /at '\/webhook\/recheckInterval'/],
    ['an identity for no time', { controlPlane: { svidTtl: '0h0m' } }, /at '\/controlPlane\/svidTtl'/],
    [
      'a field that no policy has',
      defaultPolicy({ enforcment: 'warn' }),
      /at '\/defaultPolicy\/spec': additional properties 'enforcment'/,
    ],
    ...['enforcement', 'postQuantumEncryption', 'quantumAuthentication', 'complianceLevel'].map(
      (field): [string, object, RegExp] => [
        `a policy with a wrong ${field}`,
        defaultPolicy({ [field]: 'maximum' }),
        new RegExp(`at '/defaultPolicy/spec/${field}': value must be one of '`),
      ],
    ),
    [
      'rules that are no list',
      defaultPolicy({ images: {} }),
      /at '\/defaultPolicy\/spec\/images': got object/,
    ],
    ['no rules', defaultPolicy({ images: [] }), /at '\/defaultPolicy\/spec\/images': minItems/],
    [
      'a mirror of nothing',
      webhook({ registries: { mirrors: ['mirror.example'] } }),
      /at '\/webhook\/registries\/mirrors\/0'/,
    ],
  ])('%s', async (_, values, message) => {
    const args = ['template', 'trellis', chartDirectory, '--namespace', releaseNamespace];
    const result = await helm(args, { image: imageValues, ...values });
    expect(result).toMatchObject({ status: 1, stdout: '' });
    expect(result.stderr).toMatch(message);
  });

  test('the namespace default, whose pods would all be exempt', async () => {
    const result = await helm(['template', 'trellis', chartDirectory], { image: imageValues });
    expect(result).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--namespace trellis-system'),
    });
  });

  test('a Helm that is too old, unless the user takes care of the uninstallation', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'trellis-chart-'));
    onEnd(() => rm(copy, { recursive: true, force: true }));
    await cp(chartDirectory, copy, { recursive: true });
    const helpers = join(copy, 'templates/_helpers.tpl');
    // As if this Helm were one of the past.
    await writeFile(helpers, (await readFile(helpers, 'utf8')).replace('<4.0.0-0', '<99.0.0-0'));
    const args = ['template', 'trellis', copy, '--namespace', releaseNamespace];
    const refused = await helm(args, { image: imageValues });
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('Helm 4 is needed') });
    expect(await helm(args, { image: imageValues, allowHelm3: true })).toMatchObject({ status: 0 });
  });
});

/** A Helm for each value. */
const renderingAllMs = 180_000;

test(
  'a value that is taken away is missed by name, or was not needed',
  async () => {
    const values = parse(await readFile(join(chartDirectory, 'values.yaml'), 'utf8'));
    const args = ['template', 'trellis', chartDirectory, '--namespace', releaseNamespace];
    const given = { ...everything, networkPolicy: { enabled: true } };
    for (const path of pathsOf(values)) {
      const { status, stdout, stderr } = await helm([...args, '--set', `${path}=null`], given);
      const name = path.slice(path.lastIndexOf('.') + 1);
      // Words of the chart's own are as good as those of the schema, and name all of the path.
      if (status !== 0) {
        expect(stderr, path).toMatch(new RegExp(`missing property '${name}'|execution error .*${path}`));
      } else {
        const objects = parseAllDocuments(stdout).map((document) => document.toJS() as unknown);
        expect(JSON.stringify(objects.filter(Boolean)), path).not.toMatch(/null|=""|nil/);
      }
    }
  },
  renderingAllMs,
);

/** Of every value, and of what it is in. */
function pathsOf(values: object, above = ''): readonly string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = `${above}${key}`;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap ? [path, ...pathsOf(value, `${path}.`)] : [path];
  });
}

describe('the schema of the values says the same as', () => {
  const readSchema = async () =>
    JSON.parse(await readFile(join(chartDirectory, 'values.schema.json'), 'utf8')) as {
      $defs: { duration: object };
      properties: { defaultPolicy: { properties: { spec: { properties: object } } } };
    };

  test('the CustomResourceDefinition about the fields of a policy, down to where lists and objects begin', async () => {
    const crd = parse(await readFile(join(chartDirectory, 'crds/QuantumSecurityPolicy.yaml'), 'utf8'));
    const { properties } = crd.spec.versions[0].schema.openAPIV3Schema.properties.spec as {
      properties: Readonly<Record<string, object>>;
    };
    const below = ['description', 'default', 'required', 'properties', 'items'];
    const flat = Object.entries(properties).map(([field, schema]) => {
      const keywords = Object.entries(schema).filter(
        ([key]) => !below.includes(key) && !key.startsWith('x-'),
      );
      return [field, Object.fromEntries(keywords)] as const;
    });
    const schema = await readSchema();
    expect(schema.properties.defaultPolicy.properties.spec.properties).toEqual(Object.fromEntries(flat));
  });

  test('the command line about durations', async () => {
    const { $defs } = await readSchema();
    const isDuration = new Ajv2020({ strict: false }).compile($defs.duration);
    const takes = (text: string): boolean => {
      try {
        return duration(text) > 0;
      } catch {
        return false;
      }
    };
    const good = ['30s', '10m', '1h30m', '500ms', '1m30h', '0h1s', '010m', '99999h', '1h1m1s1ms'];
    const bad = ['', '0s', '0h0m0ms', '1', '1d', '1.5h', '-1h', ' 1h', '1h\n', '100000h', '1h1m1s1ms1s', 'h'];
    for (const text of good) expect([text, takes(text), isDuration(text)]).toEqual([text, true, true]);
    for (const text of bad) expect([text, takes(text), isDuration(text)]).toEqual([text, false, false]);
  });
});

test('what the webhook is started with', async () => {
  const args = containerArgs(one(await render(helm), 'Deployment'));
  expect(args).toEqual([
    'webhook',
    '--namespace=$(POD_NAMESPACE)',
    '--pod-name=$(POD_NAME)',
    '--listen=0.0.0.0:9443',
    '--metrics=0.0.0.0:9444',
    '--root-namespace=trellis-system',
    '--service=trellis-webhook',
    '--webhook-configuration=trellis-webhook',
    '--lease=trellis-webhook',
    '--certificate=managed',
    '--certificate-secret=trellis-webhook-certificate',
    '--exempt-namespace=kube-system',
    '--exempt-namespace=trellis-system',
    '--cache-bytes=67108864',
    '--recheck-interval=1h',
    '--log-level=info',
  ]);
});

test('and with all values set', async () => {
  const args = containerArgs(one(await render(helm, everything), 'Deployment', 'trellis-webhook'));
  expect(args).toEqual(
    expect.arrayContaining([
      '--listen=[::]:9443',
      '--certificate=files',
      '--tls-cert=/etc/trellis/certificate/tls.crt',
      '--tls-key=/etc/trellis/certificate/tls.key',
      '--exempt-namespace=cni',
      `--sidecar-image=registry.example/envoy@${digest}`,
      `--sidecar-image=registry.example/envoy@${imageValues.digest}`,
      '--registry-ca=/etc/trellis/registry-ca/ca.crt',
      '--registry-mirror=docker.io=mirror.example/hub',
      '--plain-http=registry.local:5000',
      '--docker-config=/etc/trellis/registry-credentials',
      '--cache-bytes=1073741824',
    ]),
  );
  // Injected is the first.
  expect(args.find((arg) => arg.startsWith('--sidecar-image'))).toContain(digest);
  expect(args.join(' ')).not.toContain('--certificate-secret');
});

interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly string[];
  readonly scope: string;
}

interface Configuration {
  readonly webhooks: readonly {
    readonly failurePolicy: string;
    readonly rules: readonly Rule[];
    readonly namespaceSelector: object;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

const configurations = (objects: Awaited<ReturnType<typeof render>>) =>
  ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'].map(
    (kind) => one(objects, kind, 'trellis-webhook') as unknown as Configuration,
  );

test('one value says which namespaces are exempt, and the release’s own always is', async () => {
  const objects = await render(helm, { exemptNamespaces: ['storage', 'kube-system'] });
  for (const { webhooks } of configurations(objects)) {
    expect(webhooks.map(({ namespaceSelector }) => namespaceSelector)).toEqual([
      {
        matchExpressions: [
          {
            ...{ key: 'kubernetes.io/metadata.name', operator: 'NotIn' },
            values: ['kube-system', 'storage', 'trellis-system'],
          },
        ],
      },
    ]);
  }
  const [validating, mutating] = configurations(await render(helm, { exemptNamespaces: [] }));
  expect([validating, mutating].map((each) => each?.webhooks[0]?.failurePolicy)).toEqual(['Fail', 'Ignore']);
});

describe('asked about is', () => {
  /** Each resource with what is asked about it, as `apps/v1/deployments CREATE UPDATE`. */
  const asked = (rules: readonly Rule[]) =>
    rules
      .flatMap(({ apiGroups, apiVersions, resources, operations }) =>
        apiGroups.flatMap((group) =>
          apiVersions.flatMap((version) =>
            resources.map((resource) => [`${group}/${version}/${resource}`, ...operations].join(' ')),
          ),
        ),
      )
      .sort();
  const inWords = ({ group, version, resource, subResources }: JudgedKind) => [
    `${group}/${version}/${resource} CREATE UPDATE`,
    ...subResources.map((subResource) => `${group}/${version}/${resource}/${subResource} UPDATE`),
  ];

  test('every kind that is judged, and no other: that would be refused', async () => {
    const [validating, mutating] = configurations(await render(helm));
    const rules = validating?.webhooks.flatMap((webhook) => webhook.rules) ?? [];
    expect(asked(rules)).toEqual(judgedKinds.flatMap(inWords).sort());
    for (const { scope } of [...rules, ...(mutating?.webhooks[0]?.rules ?? [])]) {
      expect(scope).toBe('Namespaced');
    }
  });

  test('whether it should be changed, of pods alone, and not while they are resized', async () => {
    const [, mutating] = configurations(await render(helm));
    const rules = mutating?.webhooks.flatMap((webhook) => webhook.rules) ?? [];
    expect(asked(rules)).toEqual(['/v1/pods CREATE UPDATE', '/v1/pods/ephemeralcontainers UPDATE']);
  });
});

test('who reaches the webhook is said by the network policy, if anybody says it', async () => {
  const ingress = async (values: object) => {
    const policy = one(await render(helm, { networkPolicy: values }), 'NetworkPolicy', 'trellis-webhook');
    return (policy['spec'] as { readonly ingress: unknown }).ingress;
  };
  const webhook = { ports: [{ port: 'webhook', protocol: 'TCP' }] };
  // Of the kubelet, too, which has no address that is known.
  const metrics = { ports: [{ port: 'metrics', protocol: 'TCP' }] };
  expect(await ingress({ enabled: true })).toEqual([webhook, metrics]);
  expect(await ingress({ enabled: true, from: peers })).toEqual([{ ...webhook, from: peers }, metrics]);
  expect((await render(helm)).filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
});

describe('the certificate is', () => {
  const bundles = (objects: Awaited<ReturnType<typeof render>>) =>
    configurations(objects).map(({ webhooks }) => webhooks[0]?.clientConfig.caBundle);

  test('the webhook’s own: nothing in the chart says what it is', async () => {
    const objects = await render(helm);
    expect(bundles(objects)).toEqual([undefined, undefined]);
    expect(one(objects, 'Secret')).not.toHaveProperty('data');
  });

  test('cert-manager’s', async () => {
    const issuerRef = { name: 'ca', kind: 'ClusterIssuer' };
    const objects = await render(helm, {
      webhook: { certificate: { mode: 'cert-manager', certManager: { issuerRef } } },
    });
    expect(one(objects, 'Certificate')['spec']).toMatchObject({
      ...{ secretName: 'trellis-webhook-tls', dnsNames: ['trellis-webhook.trellis-system.svc'] },
      ...{ issuerRef: { ...issuerRef, group: 'cert-manager.io' }, privateKey: { algorithm: 'ECDSA' } },
    });
    for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']) {
      expect(one(objects, kind).metadata.annotations).toEqual({
        'cert-manager.io/inject-ca-from': 'trellis-system/trellis-webhook-tls',
      });
    }
    expect(bundles(objects)).toEqual([undefined, undefined]);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  test('the user’s', async () => {
    const objects = await render(helm, everything);
    const encoded = Buffer.from(certificate).toString('base64');
    expect(bundles(objects)).toEqual([encoded, encoded]);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(JSON.stringify(one(objects, 'Deployment', 'trellis-webhook'))).toContain('"secretName":"own"');
  });
});

test.each([
  ['registries', (ca: string) => ({ registries: { ca } })],
  ['API servers', (clientCa: string) => ({ clientCa })],
])('another certificate authority for %s starts the pods anew', async (_, webhook) => {
  const annotations = async (ca: string) => {
    const deployment = one(await render(helm, { webhook: webhook(ca) }), 'Deployment');
    const { template } = deployment['spec'] as { template: { metadata: { annotations: object } } };
    return template.metadata.annotations;
  };
  expect(await annotations(certificate)).not.toEqual(await annotations(`${certificate}\n`));
});

test('the default policy is a policy, as it comes and as one writes it', async () => {
  const validate = createCustomResourceValidator(await readCustomResourceDefinitions());
  const policy = async (values: object) => one(await render(helm, values), 'QuantumSecurityPolicy');
  const shipped = await policy({});
  expect(shipped.metadata).toMatchObject({ name: 'mesh-default', namespace: 'trellis-system' });
  expect(validate('QuantumSecurityPolicy', shipped).issues).toEqual([]);
  // Whoever installs the chart as it is must not be refused their pods, by a sidecar or a signature that nobody has yet.
  expect(shipped['spec']).toEqual({ enforcement: 'enforce', quantumAuthentication: 'enabled' });
  const spec = { postQuantumEncryption: 'required', images: [{ match: ['**'], action: 'deny' }] };
  const own = await policy({ defaultPolicy: { name: 'strict', spec } });
  expect(own['spec']).toMatchObject(spec);
  expect(validate('QuantumSecurityPolicy', own).issues).toEqual([]);
  const without = await render(helm, { defaultPolicy: { create: false } });
  expect(without.filter(({ kind }) => kind === 'QuantumSecurityPolicy')).toEqual([]);
});

test('no role of the chart becomes part of a role of the tenants', async () => {
  const objects = await render(helm, everything);
  expect(objects.filter(({ kind }) => kind === 'ClusterRole')).toHaveLength(2);
  expect(JSON.stringify(objects)).not.toContain('rbac.authorization.k8s.io/aggregate');
});

test('no right is for everything', async () => {
  const roles = (await render(helm, everything)).filter(({ kind }) => kind.endsWith('Role'));
  const rules = roles.flatMap((role) => role['rules'] as { readonly [field: string]: readonly string[] }[]);
  expect(rules.length).toBeGreaterThan(10);
  for (const rule of rules) expect(Object.values(rule).flat()).not.toContain('*');
});
