// `trellis admit` from the command line to its exit code, with a registry that has images and no signatures.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../../src/model/mesh.ts';
import { digestOf } from '../../../../src/registry/digest.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { hybrid, inlineKey } from '../../admission/images/support.ts';
import { expectFailure, TrellisProcess, trellis } from '../commands/support.ts';
import {
  allowPublic,
  deploymentObject,
  otherImage,
  podObject,
  policyObject,
  publicImage,
  workspace,
} from './support.ts';

const files = await workspace();
const policies = await files.write('policies/images.yaml', policyObject(allowPublic));
const admit = (file: string, ...more: readonly string[]) =>
  trellis('admit', '-f', file, '--policy', policies, ...more);

const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(Buffer.from('{}')),
      size: 2,
    },
    layers: [],
  }),
);
const digest = digestOf(manifest);

interface Registry {
  readonly host: string;
  /** Paths. */
  readonly asked: string[];
}

async function startRegistry(kind: 'open' | 'closed' | 'silent' | 'empty' = 'open'): Promise<Registry> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    if (kind === 'silent') return;
    if (kind === 'closed') {
      response.writeHead(403).end();
      return;
    }
    if (kind === 'empty' && url !== '/v2/') {
      const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }];
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
      return;
    }
    const isManifest = /\/manifests\/(v1|sha256:[0-9a-f]+)$/.test(url);
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    const [type, body] = isManifest
      ? ['application/vnd.oci.image.manifest.v1+json', manifest]
      : ['application/vnd.oci.image.index.v1+json', Buffer.from(JSON.stringify(index))];
    response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function demanding(host: string): Promise<string> {
  return await files.write(
    'demanding.yaml',
    policyObject({
      images: [
        {
          match: [`${host}/**`],
          authorities: [{ name: 'ci', keysets: [{ name: 'ci-2026', keys: hybrid.map(inlineKey) }] }],
        },
      ],
    }),
  );
}

describe('without a registry', () => {
  test('what is allowed ends with 0, and says of each image why', async () => {
    const file = await files.write('good.yaml', podObject(publicImage), deploymentObject(publicImage));
    const { exitCode, stdout, stderr } = await admit(file);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toBe(
      `allowed  Pod trading/app in ${file}:1\n` +
        `  allowed without a signature: spec.containers[0].image: ${publicImage}\n` +
        `allowed  Deployment trading/app in ${file}:18\n` +
        `  allowed without a signature: spec.template.spec.containers[0].image: ${publicImage}\n` +
        '2 judged, as where no sidecar is injected: 2 allowed\n',
    );
  });

  test('one that is denied denies, and the others are told of all the same', async () => {
    const file = await files.write('mixed.yaml', podObject(otherImage), podObject(publicImage));
    const { exitCode, stdout, stderr } = await admit(file);
    expect([exitCode, stderr]).toEqual([1, 'trellis: 1 of 2 denied\n']);
    expect(stdout).toMatch(/^DENIED {2}Pod trading\/app in .*mixed\.yaml:1$/m);
    expect(stdout).toMatch(
      /other\/tool:1 is denied by QuantumSecurityPolicy trading\/images.*\(image-denied\)$/m,
    );
    expect(stdout).toMatch(/^allowed {2}Pod/m);
    expect(stdout).toMatch(/\n2 judged, as where no sidecar is injected: 1 allowed, 1 denied\n$/);
  });

  test('two objects of one line and no name are two', async () => {
    const list = (...images: readonly string[]) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: images.map((image) => podObject(image, { metadata: { name: undefined } })),
      });
    const file = await files.write('list.json', list(otherImage, publicImage));
    expect((await admit(file)).stderr).toBe('trellis: 1 of 2 denied\n');
  });

  test('a namespace without policies is allowed beside another, and that is said', async () => {
    const nowhere = podObject(otherImage, { metadata: { namespace: undefined } });
    const file = await files.write('nowhere.yaml', nowhere, podObject(publicImage));
    const { exitCode, stdout } = await admit(file);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^ {2}no policy speaks about images of the namespace: spec\.containers\[0\]\.image/m,
    );
    expect(stdout).toMatch(/\n1 of 2 has no policy at all, so that everything is allowed there: default\n$/);
    const { stdout: json } = await admit(file, '--json');
    const { objects } = JSON.parse(json) as { objects: readonly { hasPolicies: boolean }[] };
    expect(objects.map(({ hasPolicies }) => hasPolicies)).toEqual([false, true]);
    expect((await admit(file, '-n', 'trading')).exitCode).toBe(1);
    const root = ['--root-namespace', 'trading'];
    expect((await admit(file, ...root)).exitCode).toBe(1);
  });

  test('policies that hold for nothing that is judged are a mistake, and no green answer', async () => {
    const nowhere = podObject(publicImage, { metadata: { namespace: undefined } });
    const outcome = await admit(await files.write('nowhere.yaml', nowhere));
    expectFailure(outcome, 2, /no policy holds for default: they are of trading/, /-n/);
  });

  test('exempt namespaces are not judged, and counted', async () => {
    const of = (namespace: string) => podObject(otherImage, { metadata: { namespace } });
    const file = await files.write(
      'exempt.yaml',
      of('kube-system'),
      of('a'),
      of('a'),
      podObject(publicImage),
    );
    const root = ['--root-namespace', 'trading'];
    const judged = await admit(file, ...root);
    expect([judged.exitCode, judged.stderr]).toEqual([1, 'trellis: 3 of 4 denied\n']);
    const argv = [...root, '--exempt-namespace', 'kube-system', '--exempt-namespace', 'a'];
    const { exitCode, stdout } = await admit(file, ...argv);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^not judged: exempt {2}Pod kube-system\/app in .*exempt\.yaml:1$/m);
    expect(stdout).toMatch(/^1 judged, .*: 1 allowed$/m);
    expect(stdout).toMatch(
      /^3 not judged, as their namespaces are exempt \(--exempt-namespace\): kube-system, 2 a$/m,
    );
    const { stdout: json } = await admit(file, ...argv, '--json');
    expect(JSON.parse(json)).toMatchObject({
      ok: true,
      objects: [{ namespace: 'trading' }],
      exempt: [
        { kind: 'Pod', namespace: 'kube-system', name: 'app', file, line: 1 },
        { namespace: 'a' },
        { namespace: 'a' },
      ],
    });
    const none = await admit(await files.write('all-exempt.yaml', of('a')), ...argv);
    expect([none.exitCode, none.stderr]).toEqual([0, '']);
    expect(none.stdout).toMatch(/^0 judged, as where no sidecar is injected$/m);
  });

  test('nothing but what is not known of is an error that names it', async () => {
    const rollout = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata: { name: 'a' } };
    const outcome = await admit(await files.write('rollout.yaml', rollout));
    expectFailure(
      outcome,
      2,
      /can be judged: 1 NOT LOOKED INTO, .*: Rollout \(argoproj\.io\)\n {2}give Pods/,
    );
  });

  test('what only warns or is recorded does not deny', async () => {
    const file = await files.write('soft.yaml', podObject(otherImage));
    for (const [enforcement, head] of [
      ['warn', /^allowed, with warnings {2}.*\n {2}warning: .*\(image-denied\)/],
      ['audit', /^allowed {2}.*\n {2}recorded: .*\(image-denied\)/],
    ] as const) {
      const soft = await files.write('soft-policy.yaml', policyObject({ ...allowPublic, enforcement }));
      const { exitCode, stdout } = await trellis('admit', '-f', file, '--policy', soft);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(head);
    }
  });

  test('directories, several files and standard input are one', async () => {
    await files.write('deploy/a.yaml', podObject(publicImage));
    await files.write('deploy/b.yaml', { apiVersion: 'v1', kind: 'Service' });
    const good = await files.write('good.yaml', podObject(publicImage));
    const child = new TrellisProcess(
      ['admit', '-f', files.path('deploy'), '-f', good, '-f', '-', '--policy', files.path('policies')],
      JSON.stringify(podObject(otherImage)),
    );
    const { exitCode, stdout } = await child.ended;
    expect(exitCode).toBe(1);
    expect(
      stdout.match(/^(?:allowed|DENIED) .* in .*$/gm)?.map((line) => line.replace(/.* in /, '')),
    ).toEqual([`${files.path('deploy/a.yaml')}:1`, `${good}:1`, 'standard input:1']);
    expect(stdout).toMatch(/^1 passed over, as they make no pods: Service$/m);
  });

  test('nothing that a manifest says acts on the terminal', async () => {
    const evil = '\u001b[31mevil\u202e';
    const file = await files.write(
      'evil.yaml',
      { apiVersion: 'evil.example/v1', kind: evil },
      podObject(publicImage, { metadata: { name: evil } }),
      podObject(`registry.example/${evil}`),
    );
    for (const more of [[], ['--json']]) {
      const { stdout, exitCode } = await admit(file, ...more);
      expect(exitCode).toBe(1);
      for (const acting of ['\u001b', '\u202e']) expect(stdout).not.toContain(acting);
      expect(stdout).toContain('\\u001b[31mevil\\u202e');
    }
  });
});

test('kinds are counted, and those that may make pods are named apart', async () => {
  const of = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: 'a' } });
  const file = await files.write(
    'kinds.yaml',
    ...[of('v1', 'Service'), of('v1', 'ConfigMap'), of('v1', 'Service')],
    ...[of('argoproj.io/v1alpha1', 'Rollout'), podObject(publicImage)],
  );
  const { exitCode, stdout } = await admit(file);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^3 passed over, as they make no pods: 2 Service, ConfigMap$/m);
  expect(stdout).toMatch(
    /^1 NOT LOOKED INTO, as nothing is known of their kinds; .*: Rollout \(argoproj\.io\)$/m,
  );
});

describe('a sidecar', () => {
  const envoy = `registry.example/envoy@sha256:${'e1'.repeat(32)}`;
  const encrypting = () =>
    files.write('encrypting.yaml', policyObject({ postQuantumEncryption: 'required' }, 'encryption'));

  test('is injected where --sidecar-image says so, as by trellis webhook, and nowhere else', async () => {
    const file = await files.write('mesh.yaml', podObject(publicImage));
    const argv = ['admit', '-f', file, '--policy', await encrypting()];
    const without = await trellis(...argv);
    expect([without.exitCode, without.stderr]).toEqual([1, 'trellis: 1 of 1 denied\n']);
    expect(without.stdout).toMatch(/injects no sidecar.*say so with --sidecar-image.* \(sidecar-missing\)$/m);
    const injected = await trellis(...argv, '--sidecar-image', envoy);
    expect([injected.exitCode, injected.stderr]).toEqual([0, '']);
    expect(injected.stdout).toContain(`1 judged, as where ${envoy} is injected: 1 allowed\n`);
    const { stdout: json } = await trellis(...argv, '--sidecar-image', envoy, '--json');
    expect(JSON.parse(json)).toMatchObject({ ok: true, sidecarImages: [envoy] });
  });

  test('is named by its digest', async () => {
    const file = await files.write('mesh.yaml', podObject(publicImage));
    expectFailure(
      await admit(file, '--sidecar-image', 'envoy:v1'),
      2,
      /--sidecar-image envoy:v1: a tag can be/,
    );
  });
});

describe('a policy that cannot be used', () => {
  const [ml, ec] = hybrid.map(inlineKey);
  const broken = '-----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAAAA\n-----END PUBLIC KEY-----\n';
  const configMapRef = { name: 'keys', key: 'ci.pub', spkiSha256: 'ab'.repeat(32) };
  const kinds: Readonly<Record<string, readonly [readonly object[], RegExp]>> = {
    'a key of another algorithm': [
      [{ ...ml, algorithm: 'ML-DSA-87' }, { ...ec }],
      /authority ci, keyset ci-2026, ML-DSA-87: the key there is of ML-DSA-65/,
    ],
    'a malformed key': [
      [{ ...ml }, { ...ec, publicKey: broken }],
      /authority ci, keyset ci-2026, ECDSA-P256: /,
    ],
    'a ConfigMap that is not given': [
      [{ ...ml }, { algorithm: 'ECDSA-P256', configMapRef }],
      /keyset ci-2026, ECDSA-P256: there is no entry ci\.pub in a ConfigMap keys/,
    ],
  };
  /** Of one rule for each registry. */
  const policyWith = async (keysOf: Readonly<Record<string, readonly object[]>>) => {
    const images = Object.entries(keysOf).map(([host, keys]) => ({
      match: [`${host}/**`],
      authorities: [{ name: 'ci', keysets: [{ name: 'ci-2026', keys }] }],
    }));
    return await files.write('unusable.yaml', policyObject({ images } as unknown as Policy['spec']));
  };

  test.each(Object.entries(kinds))(
    'by %s is named, and is no reason to try again',
    async (_, [some, reason]) => {
      const { host } = await startRegistry();
      const policy = await policyWith({ [host]: some });
      const file = await files.write('app.yaml', podObject(`${host}/trading/app:v1`));
      const { exitCode, stdout, stderr } = await trellis('admit', '-f', file, '--policy', policy);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^trellis: 1 of 1 could not be judged: a policy cannot be used\n {2}correct it/);
      expect(stdout).toMatch(/^NOT JUDGED {2}Pod trading\/app/);
      expect(stdout).toMatch(
        /QuantumSecurityPolicy trading\/images, rule 1: .*correct the policy; .* \(policy-unusable\)$/m,
      );
      expect(stdout).toMatch(reason);
      expect(stdout).not.toMatch(/try again|webhook/);
    },
  );

  test('comes after what is denied, and before what is not known', async () => {
    const { host } = await startRegistry();
    const { host: closed } = await startRegistry('closed');
    const policy = await policyWith({
      [host]: [{ ...ml, publicKey: broken }, { ...ec }],
      [closed]: [{ ...ml }, { ...ec }],
    });
    const run = async (...images: readonly string[]) => {
      const file = await files.write('apps.yaml', ...images.map((image) => podObject(image)));
      return await trellis('admit', '-f', file, '--policy', policy);
    };
    expect(await run(`${host}/a:v1`, `${closed}/a:v1`)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^trellis: 2 of 2 could not be judged: a policy cannot be used/),
    });
    expect(await run(`${host}/a:v1`, otherImage)).toMatchObject({
      exitCode: 1,
      stderr: 'trellis: 1 of 2 denied, 1 could not be judged\n',
    });
  });
});

test('--json is one document, and every field is always there', async () => {
  const file = await files.write(
    'all.yaml',
    podObject(otherImage),
    podObject(publicImage, { metadata: { name: undefined } }),
    { apiVersion: 'v1', kind: 'Service' },
    { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout' },
  );
  const { exitCode, stdout } = await admit(file, '--json');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    ok: false,
    sidecarImages: [],
    objects: [
      {
        kind: 'Pod',
        namespace: 'trading',
        name: 'app',
        file,
        line: 1,
        verdict: 'denied',
        findings: [
          {
            code: 'image-denied',
            enforcement: 'enforce',
            policy: 'trading/images',
            field: 'spec.containers[0].image',
            message: expect.stringContaining('is denied by QuantumSecurityPolicy trading/images'),
          },
        ],
        hasPolicies: true,
        images: [{ field: 'spec.containers[0].image', image: otherImage, decision: 'denied', digest: null }],
      },
      {
        kind: 'Pod',
        namespace: 'trading',
        name: null,
        file,
        line: 18,
        verdict: 'allowed',
        findings: [],
        hasPolicies: true,
        images: [
          { field: 'spec.containers[0].image', image: publicImage, decision: 'allowed', digest: null },
        ],
      },
    ],
    exempt: [],
    passedOver: { Service: 1 },
    notKnown: { 'Rollout (argoproj.io)': 1 },
  });
});

describe('with a registry', () => {
  test('an unsigned image is denied, by its digest, and asked about once for all objects', async () => {
    const registry = await startRegistry();
    const policy = await demanding(registry.host);
    const image = `${registry.host}/trading/app:v1`;
    // More than are judged at the same time.
    const objects = Array.from({ length: 20 }, (_, index) =>
      podObject(image, { metadata: { name: `a${index}` } }),
    );
    const file = await files.write('many.yaml', ...objects, deploymentObject(image));
    const { exitCode, stdout, stderr } = await trellis('admit', '-f', file, '--policy', policy);
    expect([exitCode, stderr]).toEqual([1, 'trellis: 21 of 21 denied\n']);
    expect(stdout).toContain(
      `${image}@${digest} does not satisfy QuantumSecurityPolicy trading/images, rule 1`,
    );
    expect(registry.asked.filter((path) => path.endsWith('/manifests/v1'))).toHaveLength(1);
    expect(new Set(registry.asked).size).toBe(registry.asked.length);
  });

  test.each([
    ['a Pod', podObject],
    ['a template', deploymentObject],
  ])('%s that could not be judged ends with 3, whatever is allowed beside it', async (_, object) => {
    const { host } = await startRegistry('closed');
    const policy = await demanding(host);
    const good = podObject(publicImage, { metadata: { namespace: 'other' } });
    const file = await files.write('down.yaml', object(`${host}/trading/app:v1`), good);
    const { exitCode, stdout, stderr } = await trellis('admit', '-f', file, '--policy', policy);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /^trellis: 1 of 2 could not be judged\n {2}this says nothing about the images;.*try again/,
    );
    expect(stdout).toMatch(/^NOT KNOWN {2}/m);
    const { stdout: json } = await trellis('admit', '-f', file, '--policy', policy, '--json');
    const document = JSON.parse(json) as { ok: boolean; objects: { verdict: string }[] };
    expect([document.ok, ...document.objects.map(({ verdict }) => verdict)]).toEqual([
      false,
      'unknown',
      'allowed',
    ]);
  });

  test.each([
    ['a Pod', podObject],
    ['a template', deploymentObject],
  ])('an image of %s that is not there is denied, and nobody is told to try again', async (_, object) => {
    const { host } = await startRegistry('empty');
    const policy = await demanding(host);
    const file = await files.write('missing.yaml', object(`${host}/trading/app:v9`));
    const { exitCode, stdout, stderr } = await trellis('admit', '-f', file, '--policy', policy);
    expect([exitCode, stderr]).toEqual([1, 'trellis: 1 of 1 denied\n']);
    expect(stdout).toMatch(
      /^DENIED .*\n {2}.*trading\/app:v9: check the name and the tag; the registry says "MANIFEST_UNKNOWN: .*; registries also say this .*--docker-config.* \(image-not-found\)\n1 judged/,
    );
    expect(stdout).not.toMatch(/try again|says nothing|image-not-digest/);
  });

  test('what is denied goes before what is not known', async () => {
    const policy = await demanding('127.0.0.1:1');
    const file = await files.write('both.yaml', podObject('127.0.0.1:1/a:v1'), podObject(otherImage));
    const { exitCode, stderr } = await trellis('admit', '-f', file, '--policy', policy);
    expect([exitCode, stderr]).toEqual([1, 'trellis: 1 of 2 denied, 1 could not be judged\n']);
  });

  test('a registry that says nothing is waited for until the deadline', async () => {
    const registry = await startRegistry('silent');
    const policy = await demanding(registry.host);
    const file = await files.write('slow.yaml', podObject(`${registry.host}/a:v1`));
    const argv = ['admit', '-f', file, '--policy', policy, '--deadline', '50ms'];
    const { exitCode, stdout } = await trellis(...argv);
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/the time for the answer is over.*--deadline/);
    expect(stdout).not.toMatch(/webhook|timeoutSeconds|pull secret/);
  });
});

describe('mistakes', () => {
  test.each([
    ['no manifests', ['--policy', policies], /required option '-f, --filename/],
    ['no policies', ['-f', policies], /required option '--policy/],
    [
      'a file that is not there',
      ['-f', 'nope', '--policy', policies],
      /the manifest nope: there is no such file/,
    ],
    [
      'a policy that is not there',
      ['-f', policies, '--policy', 'nope'],
      /the policy file nope: there is no such/,
    ],
    ['one stream for two', ['-f', '-', '--policy', '-'], /standard input \(-\) can be read once only/],
    ['a root namespace', ['-f', policies, '--policy', policies, '--root-namespace', 'A B'], /as in trading/],
    [
      'an exempt namespace',
      ['-f', policies, '--policy', policies, '--exempt-namespace', 'A B'],
      /as in trading/,
    ],
    ['a namespace', ['-f', policies, '--policy', policies, '-n', 'A B'], /as in trading/],
    ['a deadline', ['-f', policies, '--policy', policies, '--deadline', '0'], /such as 30s/],
    [
      'nothing that makes pods',
      ['-f', policies, '--policy', policies],
      /nothing .* can be judged: 1 passed over, as they make no pods: QuantumSecurityPolicy\n {2}give Pods, Deploy/,
    ],
    ['an argument', ['-f', policies, '--policy', policies, 'x'], /too many arguments/],
  ])('%s', async (_, argv, message) => {
    expectFailure(await trellis('admit', ...argv), 2, message);
  });

  test('files without a policy would allow everything', async () => {
    const empty = await files.write('empty.yaml', '# nothing');
    const file = await files.write('other.yaml', podObject(otherImage));
    expectFailure(
      await trellis('admit', '-f', file, '--policy', empty),
      2,
      /there is no QuantumSecurityPolicy/,
      /everything is allowed/,
    );
  });

  test('an object that cannot be judged is named', async () => {
    const containers = Array.from({ length: 201 }, (_, index) => ({
      name: `c${index}`,
      image: `a/b:${index}`,
    }));
    const file = await files.write('large.yaml', podObject('', { spec: { containers } }));
    expectFailure(
      await admit(file),
      2,
      /^trellis: Pod trading\/app in .*large\.yaml:1: it has 201 different images/,
    );
  });

  test('an empty pipe is no manifest', async () => {
    const outcome = await new TrellisProcess(['admit', '-f', '-', '--policy', policies]).ended;
    expectFailure(outcome, 2, /the manifest standard input is empty\n {2}see whether the command/);
  });
});
