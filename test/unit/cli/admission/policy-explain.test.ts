// `trellis policy explain` from the files to what is printed.

import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../../src/model/mesh.ts';
import { authority, hybrid, keyset, rule } from '../../admission/images/support.ts';
import { expectFailure, TrellisProcess, trellis } from '../commands/support.ts';
import { deploymentObject, podObject, policyObject, workspace } from './support.ts';

const files = await workspace();

const envoy = `registry.example/envoy@sha256:${'e1'.repeat(32)}`;

async function explain(policies: readonly object[], ...more: readonly string[]) {
  const file = await files.write('policies.yaml', ...policies);
  return await trellis('policy', 'explain', '-n', 'trading', '--policy', file, ...more);
}

const mesh = (spec: Policy['spec']) => policyObject(spec, 'mesh', 'trellis-system');
const old = keyset('ci-2020', hybrid, { notAfter: '2020-01-01T00:00:00Z' });

describe('a namespace', () => {
  test('without policies', async () => {
    const { exitCode, stdout, stderr } = await explain(['# nothing'] as unknown as object[]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatchInlineSnapshot(`
      "namespace trading
        policies      none
        encryption    required between pods of the mesh (no policy asks for it, so no pod is put into the mesh)
        sidecar       assumed: no sidecar is injected (--sidecar-image says otherwise)
        identity      enabled between pods of the mesh (no policy asks for it, so it is the default)
        images        no policy speaks about images: any may run
      "
    `);
  });

  test('with policies of its own and of the mesh', async () => {
    const { stdout } = await explain([
      mesh({ postQuantumEncryption: 'preferred', revoked: { digests: [`sha256:${'ab'.repeat(32)}`] } }),
      policyObject({
        enforcement: 'warn',
        images: [
          rule({
            authorities: [authority({ keysets: [old] })],
            bindReference: 'none',
            attestations: [
              { predicateType: 'https://slsa.dev/provenance/v1', condition: "predicate.a == 'b'" },
            ],
          }),
          { match: ['registry.example/mirror/**', 'registry.example/base/**'], action: 'allow' },
          { match: ['**'], action: 'deny' },
        ],
      }),
      policyObject(
        {
          selector: {
            matchLabels: { app: 'gateway' },
            matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }],
          },
          quantumAuthentication: 'hybrid',
        },
        'gateway',
      ),
      policyObject({ images: [{ match: ['**'], action: 'allow' }] }, 'default', 'elsewhere'),
    ]);
    expect(stdout).toMatchInlineSnapshot(`
      "namespace trading
        policies      trading/gateway (enforce), for pods that have app=gateway and tier In (a, b) (not counted here)
                      trading/images (warn)
                      trellis-system/mesh (enforce, for the whole mesh)
        encryption    preferred, by trellis-system/mesh
        sidecar       assumed: no sidecar is injected (--sidecar-image says otherwise)
        identity      enabled between pods of the mesh (no policy asks for it, so it is the default)
        images        trading/images (only warn): the first rule that matches
                        1. registry.example/trading/**: signed by all of
                           ci: ci-2020, ML-DSA-65 and ECDSA-P256, until 2020-01-01T00:00:00Z (COUNTS FOR NOTHING: it has ended)
                           signatures need not name the repository (cosign made them)
                           attestation https://slsa.dev/provenance/v1 if predicate.a == 'b'
                        2. registry.example/mirror/** registry.example/base/**: allowed without a signature
                        3. **: denied
                        anything else: denied
        revoked       sha256:abababababababababababababababababababababababababababababababab
      "
    `);
  });

  test('whose policies contradict each other', async () => {
    const { stdout } = await explain([
      mesh({ complianceLevel: 'CNSA-2.0', postQuantumEncryption: 'preferred' }),
    ]);
    expect(stdout).toMatch(/^ {2}compliance +CNSA-2\.0, by trellis-system\/mesh$/m);
    expect(stdout).toMatch(/^ {2}conflict +pods of the mesh are refused: CNSA-2\.0 cannot be kept/m);
  });

  test('may be given by kubectl, through a pipe', async () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [mesh({ postQuantumEncryption: 'required' })] };
    const child = new TrellisProcess(['policy', 'explain', '-n', 'a', '--policy', '-'], JSON.stringify(list));
    const { exitCode, stdout } = await child.ended;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ {2}encryption +required, by trellis-system\/mesh$/m);
  });

  test('--root-namespace says whose policies hold everywhere', async () => {
    const policy = policyObject({ postQuantumEncryption: 'required' }, 'a', 'elsewhere');
    expect((await explain([policy])).stdout).toMatch(/policies +none/);
    expect((await explain([policy], '--root-namespace', 'elsewhere')).stdout).toMatch(
      /policies +elsewhere\/a \(enforce, for the whole mesh\)/,
    );
  });
});

describe('a policy that cannot be used', () => {
  const good = policyObject({ images: [rule()] });
  const broken = (namespace: string) =>
    policyObject({ enforcement: 'sometimes' } as unknown as Policy['spec'], 'broken', namespace);

  test('and does not hold here is named, and nothing else', async () => {
    const { exitCode, stdout, stderr } = await explain([good, broken('elsewhere')]);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(
      /^trellis: warning: a policy cannot be used, and does not hold in trading: .*policies\.yaml:\d+:\d+: error: QuantumSecurityPolicy elsewhere\/broken: spec\.enforcement.*\n$/,
    );
    expect(stdout).toMatch(/policies +trading\/images \(enforce\)$/m);
    expect(stdout).not.toContain('broken');
  });

  test.each([
    ['here', broken('trading')],
    ['everywhere', broken('trellis-system')],
    ['nobody knows where', broken('A B')],
  ])('and holds %s ends it, with what is wrong', async (_, policy) => {
    expectFailure(
      await explain([good, policy]),
      2,
      /policies\.yaml cannot be used:\n.*QuantumSecurityPolicy [\w-]+\/broken: .*spec\.enforcement/s,
    );
  });

  test('because it is not given whole says what is missing', async () => {
    const spkiSha256 = 'ab'.repeat(32);
    const pinned = { algorithm: 'ECDSA-P256', configMapRef: { name: 'keys', key: 'ci.pub', spkiSha256 } };
    const keysets = [{ name: 'ci-2026', keys: [pinned] }] as unknown as (typeof old)[];
    const policy = policyObject({ images: [rule({ authorities: [authority({ keysets })] })] });
    const configMap = (namespace: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'keys', namespace },
      data: { 'ci.pub': 'a key' },
    });
    const missing = 'ECDSA-P256 (ConfigMap keys: not among these files (entry ci.pub), pinned to abab';
    expect((await explain([policy])).stdout).toContain(missing);
    expect((await explain([policy, configMap('elsewhere')])).stdout).toContain(missing);
    expect((await explain([policy, configMap('trading')])).stdout).toContain(
      'ECDSA-P256 (ConfigMap keys, pinned to abab',
    );
  });
});

describe('a rule about images that is never reached', () => {
  test('is named, with the rules that match all of it before', async () => {
    const images = [
      rule({ match: ['registry.example/trading/**'] }),
      { match: ['registry.example/trading/gateway'], action: 'allow' as const },
      { match: ['**'], action: 'deny' as const },
      { match: ['registry.example/**', 'registry.example/trading/*'], action: 'allow' as const },
    ];
    const { stdout } = await explain([policyObject({ images })]);
    expect(stdout).toMatch(
      / 2\. registry\.example\/trading\/gateway: allowed .* \(NEVER REACHED: rule 1 before it matches all of it\)$/m,
    );
    expect(stdout).toMatch(
      / 4\. .*: allowed .* \(NEVER REACHED: rules 1 and 3 before it match all of it\)$/m,
    );
    expect(stdout.match(/NEVER REACHED/g)).toHaveLength(2);
  });
});

describe('the sidecar that is assumed', () => {
  const policies = [mesh({ postQuantumEncryption: 'required' })];
  const pod = () => files.write('meshed.yaml', podObject('registry.example/a:1'));

  test('is none, with what comes of it', async () => {
    const { stdout } = await explain(policies, '--pod', await pod());
    expect(stdout).toMatch(
      /^ {2}sidecar +assumed: no sidecar is injected \(--sidecar-image says otherwise\), so that every pod is refused$/m,
    );
    expect(stdout).toMatch(
      /^ {2}sidecar +none: the policies put the pod into the mesh, and no sidecar is injected$/m,
    );
    expect(stdout).toMatch(/^ {2}denied .*injects no sidecar.*--sidecar-image/m);
    const preferred = await explain([mesh({ postQuantumEncryption: 'preferred' })]);
    expect(preferred.stdout).toMatch(/^ {2}sidecar +assumed: .*otherwise\)$/m);
  });

  test('is that of --sidecar-image', async () => {
    const argv = ['--pod', await pod(), '--sidecar-image', envoy];
    const { stdout } = await explain(policies, ...argv);
    expect(stdout).toContain(`assumed: ${envoy} is injected\n`);
    expect(stdout).toMatch(/^ {2}sidecar +injected: the pod is in the mesh$/m);
    expect(stdout).not.toMatch(/^ {2}denied/m);
    const { stdout: json } = await explain(policies, ...argv, '--json');
    expect(JSON.parse(json)).toMatchObject({ sidecarImages: [envoy], pod: { sidecar: 'injected' } });
  });

  test('is named by its digest', async () => {
    expectFailure(
      await explain(policies, '--sidecar-image', 'envoy'),
      2,
      /--sidecar-image envoy: a tag can be moved/,
    );
  });
});

describe('a pod', () => {
  const labelled = podObject('registry.example/trading/app:1', {
    metadata: { labels: { app: 'gateway' } },
    spec: { hostPID: true },
  });
  const policies = [
    mesh({ postQuantumEncryption: 'required' }),
    policyObject({ images: [rule()] }),
    policyObject(
      { selector: { matchLabels: { app: 'gateway' } }, quantumAuthentication: 'hybrid' },
      'gateway',
    ),
  ];

  test('counts the policies that select it, and is told of what they find without a registry', async () => {
    const pod = await files.write('pod.yaml', labelled);
    const { exitCode, stdout } = await explain(policies, '--pod', pod, '--sidecar-image', envoy);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ {2}identity +hybrid, by trading\/gateway$/m);
    expect(stdout.slice(stdout.indexOf('\npod ')).replaceAll(files.directory, '')).toMatchInlineSnapshot(`
      "
      pod Pod trading/app in /pod.yaml:1
        sidecar       injected: the pod is in the mesh
        image         spec.containers[0].image: registry.example/trading/app:1
                        asked about as registry.example/trading/app
                        trading/images, rule 1: must be signed
                        in a pod it must be a digest: the webhook writes it for the tag, unless with hostNetwork
        denied        spec.hostPID is true: among the processes of its node it can reach the proxies of other pods, and their keys, and QuantumSecurityPolicy trellis-system/mesh demands postQuantumEncryption: required; remove it
      "
    `);
  });

  test('may be the template of something that makes pods', async () => {
    const file = await files.write('deployment.yaml', deploymentObject('registry.example/trading/app:1'));
    const { stdout } = await explain(policies, '--pod', file);
    expect(stdout).toMatch(/^pod Deployment trading\/app in /m);
    expect(stdout).toMatch(/^ {2}identity +enabled between pods of the mesh/m);
    expect(stdout).toMatch(/^ {2}image +spec\.containers\[0\]\.image: registry\.example\/trading\/app:1$/m);
  });

  test('whose image is revoked, denied, none, or asked for by nobody', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    const images = [`registry.example/trading/app@${digest}`, 'busybox', 'A B'];
    const containers = images.map((image, index) => ({ name: `c${index}`, image }));
    const pod = await files.write('pod.yaml', podObject('', { spec: { containers } }));
    const own = policyObject({ enforcement: 'audit', images: [rule()], revoked: { digests: [digest] } });
    const { stdout } = await explain([own], '--pod', pod);
    expect(stdout).toMatch(
      /trading\/images, rule 1 \(only audit\): must be signed\n +its digest is revoked: it may not run/,
    );
    expect(stdout).toMatch(
      /asked about as docker\.io\/library\/busybox\n +trading\/images, no rule matches \(only audit\): denied/,
    );
    expect(stdout).toMatch(/containers\[2\]\.image: A B\n +"A B" is no image reference/);
    expect((await explain([mesh({})], '--pod', pod)).stdout).toMatch(
      /library\/busybox\n +no policy speaks about it/,
    );
  });
});

test('--json is one document, and every field is always there', async () => {
  const pod = await files.write('pod.yaml', podObject('registry.example/trading/app:1'));
  const policies = [
    policyObject({
      images: [rule({ authorities: [authority({ keysets: [old] })] }), { match: ['**'], action: 'deny' }],
    }),
  ];
  const { exitCode, stdout } = await explain(policies, '--json', '--pod', pod);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    namespace: 'trading',
    policies: [
      { name: 'trading/images', enforcement: 'enforce', scope: 'namespace', selector: null, counts: true },
    ],
    postQuantumEncryption: { value: 'required', policies: [] },
    quantumAuthentication: { value: 'enabled', policies: [] },
    complianceLevels: [],
    conflicts: [],
    images: [
      {
        policy: 'trading/images',
        enforcement: 'enforce',
        rules: [
          {
            rule: 1,
            match: ['registry.example/trading/**'],
            action: 'verify',
            authorities: [
              {
                name: 'ci',
                threshold: 1,
                keysets: [
                  {
                    name: 'ci-2020',
                    notAfter: '2020-01-01T00:00:00Z',
                    whyNot: 'it has ended',
                    keys: [
                      { algorithm: 'ML-DSA-65', from: 'the policy' },
                      { algorithm: 'ECDSA-P256', from: 'the policy' },
                    ],
                  },
                ],
                keyless: null,
              },
            ],
            bindReference: 'repository',
            attestations: [],
            shadowedBy: [],
          },
          {
            rule: 2,
            match: ['**'],
            action: 'deny',
            authorities: [],
            bindReference: null,
            attestations: [],
            shadowedBy: [],
          },
        ],
      },
    ],
    revoked: { digests: [], keys: [] },
    sidecarImages: [],
    pod: {
      name: `Pod trading/app in ${pod}:1`,
      sidecar: 'none',
      images: [
        {
          field: 'spec.containers[0].image',
          image: 'registry.example/trading/app:1',
          invalid: null,
          repository: 'registry.example/trading/app',
          digest: null,
          mustBeDigest: true,
          requirements: [{ policy: 'trading/images', enforcement: 'enforce', rule: 1, asks: 'signatures' }],
          isRevoked: false,
        },
      ],
      findings: [],
    },
  });
  const { pod: none } = JSON.parse((await explain(policies, '--json')).stdout) as { pod: unknown };
  expect(none).toBeNull();
});

describe('mistakes', () => {
  test('a pod of another namespace, or several of them', async () => {
    const other = await files.write('other.yaml', podObject('a', { metadata: { namespace: 'other' } }));
    expectFailure(
      await explain([mesh({})], '--pod', other),
      2,
      /Pod other\/app in .*:1 is not of the namespace trading\n {2}give -n other/,
    );
    const two = await files.write('two.yaml', podObject('a'), podObject('b'));
    expectFailure(
      await explain([mesh({})], '--pod', two),
      2,
      /two\.yaml holds 2 objects that are pods or make pods/,
    );
  });

  test.each([
    ['no namespace', ['--policy', 'a'], /required option '-n, --namespace/],
    ['no policy', ['-n', 'a'], /required option '--policy/],
    ['one stream for two', ['-n', 'a', '--policy', '-', '--pod', '-'], /can be read once only/],
    ['a namespace that is none', ['-n', 'A B', '--policy', 'a'], /as in trading/],
    [
      'a policy that is not there',
      ['-n', 'a', '--policy', 'nope'],
      /the policy file nope: there is no such file/,
    ],
  ])('%s', async (_, argv, message) => {
    expectFailure(await trellis('policy', 'explain', ...argv), 2, message);
  });

  test('a policy with an error says where it is', async () => {
    const bad = policyObject({ enforcement: 'maybe' as 'warn' });
    expectFailure(
      await explain([bad]),
      2,
      /policies\.yaml:\d+:\d+: error: .*trading\/images: spec\.enforcement: "maybe"/,
    );
  });
});
