// `trellis policy test` from the files to its exit code. No registry is asked where images are stated.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startSigstore } from '../../../support/sigstore.ts';
import { authority, hybrid, inlineKey, keyset, otherHybrid, rule } from '../../admission/images/support.ts';
import { expectFailure, trellis } from '../commands/support.ts';
import { deploymentObject, podObject, policyObject, type Workspace, workspace } from './support.ts';

const example = join(import.meta.dirname, '../../../../examples/policy-tests');
const image = 'registry.example/trading/app:1';
const digest = `sha256:${'ab'.repeat(32)}`;
const keysets = [keyset('ci-2026', hybrid), keyset('ci-2027', otherHybrid)];
const policy = policyObject({ images: [rule({ authorities: [authority({ keysets })] })] });
const signed = { [image]: { digest, signedBy: ['ci/ci-2026'] } };

/** A directory with one test of one case. */
async function withTest(
  test: object | string,
  object: object = podObject(image),
): Promise<Workspace & { readonly run: (...more: readonly string[]) => ReturnType<typeof trellis> }> {
  const files = await workspace();
  await files.write('policy.yaml', policy);
  await files.write('pod.yaml', object);
  await files.write('a.test.yaml', test);
  return { ...files, run: (...more) => trellis('policy', 'test', files.directory, ...more) };
}

const oneCase = (changes: object = {}, more: object = {}) => ({
  policies: ['policy.yaml'],
  images: signed,
  cases: [{ name: 'runs', object: 'pod.yaml', expect: 'allowed', ...changes }],
  ...more,
});

describe('the example', () => {
  test('passes, and asks nobody', async () => {
    const { exitCode, stdout, stderr } = await trellis('policy', 'test', example);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout.match(/^ok /gm)).toHaveLength(12);
    expect(stdout).toMatch(/^12 cases judged as where a sidecar is injected \(sidecar: true\)$/m);
    expect(stdout).toMatch(/^12 cases as expected$/m);
  });

  test('is a policy whose keysets and conditions can be explained', async () => {
    const argv = ['policy', 'explain', '-n', 'trading', '--policy', join(example, 'policies')];
    const { exitCode, stdout } = await trellis(...argv);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/ci, any 1 of its 2 keysets: ci-2027, ML-DSA-65 and ECDSA-P256$/m);
  });

  test('one file of it can be run alone', async () => {
    const { stdout } = await trellis('policy', 'test', join(example, 'rotation.test.yaml'));
    expect(stdout).toMatch(/^3 cases as expected$/m);
  });
});

describe('a case', () => {
  test('that comes out otherwise fails, with what was found', async () => {
    const { run, path } = await withTest(oneCase({ expect: 'denied' }));
    const { exitCode, stdout, stderr } = await run();
    expect([exitCode, stderr]).toEqual([1, 'trellis: 1 of 1 case did not come out as expected\n']);
    expect(stdout).toBe(
      `FAILED  ${path('a.test.yaml')}: runs: expected denied, came allowed\n` +
        `  allowed  Pod trading/app in ${path('pod.yaml')}:1\n` +
        `    verified: spec.containers[0].image: ${image}@${digest}\n` +
        '1 case judged as where no sidecar is injected (sidecar: false)\n',
    );
  });

  test('that comes out for another reason fails', async () => {
    const expectation = { expect: 'denied', because: ['image-not-verified', 'image-revoked'] };
    const { run } = await withTest(oneCase(expectation, { images: { [image]: { digest } } }));
    const { exitCode, stdout } = await run();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/: runs: expected because of image-revoked, which is not among the findings$/m);
  });

  test('--json is one document, and every field is always there', async () => {
    const { run, path } = await withTest(
      oneCase({ because: ['image-revoked'] }, { images: { [image]: { digest } } }),
    );
    const { exitCode, stdout } = await run('--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      cases: [
        {
          file: path('a.test.yaml'),
          name: 'runs',
          sidecar: false,
          passed: false,
          expected: 'allowed',
          came: 'denied',
          missing: ['image-revoked'],
          unanswered: false,
          unusable: false,
          surprise: null,
          findings: [
            {
              code: 'image-not-verified',
              enforcement: 'enforce',
              policy: 'trading/images',
              field: 'spec.containers[0].image',
              message: expect.stringContaining('there is no valid signature'),
            },
          ],
        },
      ],
    });
  });

  test('a template by its tag is allowed with warnings', async () => {
    const { run } = await withTest(
      oneCase({ expect: 'warned', because: ['image-not-digest'] }),
      deploymentObject(image),
    );
    expect(await run()).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('is of the namespace that the test names, unless the object does', async () => {
    const bare = podObject(image, { metadata: { namespace: undefined } });
    const unsigned = { images: { [image]: { digest } } };
    expect((await (await withTest(oneCase({ withoutPolicies: true }, unsigned), bare)).run()).exitCode).toBe(
      0,
    );
    const ours = oneCase({ expect: 'denied' }, { ...unsigned, namespace: 'trading' });
    expect((await (await withTest(ours, bare)).run()).exitCode).toBe(0);
  });

  test('for whose namespace no policy holds fails: it would be green about nothing', async () => {
    const elsewhere = podObject(image, { metadata: { namespace: 'elsewhere' } });
    const { exitCode, stdout } = await (await withTest(oneCase(), elsewhere)).run();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^FAILED .*: runs: no policy of the test holds for the namespace elsewhere \(if that is meant/m,
    );
    expect((await (await withTest(oneCase({ withoutPolicies: true }), elsewhere)).run()).exitCode).toBe(0);
  });

  test('that says that no policy holds fails where one does', async () => {
    const { exitCode, stdout } = await (await withTest(oneCase({ withoutPolicies: true }))).run();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /: runs: withoutPolicies: true, and trading\/images holds for the namespace trading$/m,
    );
  });

  test('is judged as where no sidecar is injected, unless the test says so', async () => {
    const { run, write } = await withTest(oneCase());
    await write('policy.yaml', policy, policyObject({ postQuantumEncryption: 'required' }, 'encryption'));
    const without = await run();
    expect(without.exitCode).toBe(1);
    expect(without.stdout).toMatch(
      /injects no sidecar.*say so with sidecar: true in the test \(sidecar-missing\)$/m,
    );
    await write('a.test.yaml', oneCase({}, { sidecar: true }));
    expect(await run()).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('1 case judged as where a sidecar is injected (sidecar: true)\n'),
    });
  });

  test('does not pass for a policy that cannot be used, unless it is about that', async () => {
    const keys = hybrid
      .map(inlineKey)
      .map((key, index) => (index === 0 ? { ...key, algorithm: 'ML-DSA-87' as const } : key));
    const authorities = [authority({ keysets: [{ name: 'ci-2026', keys }, ...keysets.slice(1)] })];
    const { run, write } = await withTest(oneCase({ expect: 'denied' }));
    await write('policy.yaml', policyObject({ images: [rule({ authorities })] }));
    const { exitCode, stdout, stderr } = await run();
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /1 of 1 case did not come out as expected\n {2}a policy cannot be used: correct it/,
    );
    expect(stdout).toMatch(
      /: runs: a policy cannot be used, and because: \[policy-unusable\] does not expect that$/m,
    );
    await write('a.test.yaml', oneCase({ expect: 'denied', because: ['policy-unusable'] }));
    expect((await run()).exitCode).toBe(0);
    await write('b.test.yaml', oneCase({ expect: 'allowed', object: 'other.yaml' }));
    await write('other.yaml', podObject('registry.example/elsewhere/app:1'));
    await write('a.test.yaml', oneCase({ expect: 'denied' }));
    expect((await run()).exitCode).toBe(1);
  });

  test('--root-namespace says whose policies hold everywhere', async () => {
    const elsewhere = podObject(image, { metadata: { namespace: 'elsewhere' } });
    const { run } = await withTest(
      oneCase({ expect: 'denied' }, { images: { [image]: { digest } } }),
      elsewhere,
    );
    expect((await run()).exitCode).toBe(1);
    expect((await run('--root-namespace', 'trading')).exitCode).toBe(0);
  });
});

describe('an image that nobody was asked about', () => {
  const unstated = { images: {} };

  test('is not denied for a reason: a test that expects a denial does not pass by a misspelt name', async () => {
    const { run } = await withTest(oneCase({ expect: 'denied' }, unstated));
    const { exitCode, stdout } = await run();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /: runs: an image could not be judged, and because: \[image-unknown\] does not expect/,
    );
    expect(stdout).toContain(`nothing is stated of ${image}: add it to the images of the test`);
    expect(stdout).not.toMatch(/webhook|try again|docker login/);
  });

  test('is what a test may be about', async () => {
    const { run } = await withTest(oneCase({ expect: 'denied', because: ['image-unknown'] }, unstated));
    expect((await run()).exitCode).toBe(0);
  });

  test('makes no difference to what is denied for certain', async () => {
    const other = podObject('registry.example/elsewhere/app:1');
    const { run } = await withTest(oneCase({ expect: 'denied', because: ['image-denied'] }, unstated), other);
    expect((await run()).exitCode).toBe(0);
  });

  test('because the registry is away ends with 3, and so with a no beside it with 1', async () => {
    const away = '127.0.0.1:1/trading/app';
    const images = [rule({ match: ['127.0.0.1:1/**'] })];
    const { run, write } = await withTest({
      policies: ['away.yaml'],
      cases: [{ name: 'runs', object: 'away-pod.yaml', expect: 'allowed' }],
    });
    await write('away.yaml', policyObject({ images }));
    await write('away-pod.yaml', podObject(`${away}@${digest}`));
    expect(await run()).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/state the images in the test/),
    });
    await write('b.test.yaml', oneCase({ expect: 'denied' }));
    expect((await run()).exitCode).toBe(1);
  });
});

test('a certificate is stated by the name of its authority, over a trusted root in a ConfigMap of the policy files', async () => {
  const root = (await startSigstore()).trustedRoot();
  const sha256 = createHash('sha256').update(root).digest('hex');
  const keyless = {
    issuer: 'https://issuer.example',
    subject: 'release@example.com',
    trustedRoot: { configMapRef: { name: 'sigstore', key: 'root.json', sha256 } },
  };
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'sigstore', namespace: 'trading' },
    binaryData: { 'root.json': root.toString('base64') },
  };
  const images = { [image]: { digest, signedBy: ['release'] } };
  const { run, write } = await withTest(oneCase({}, { images }));
  const keylessPolicy = policyObject({ images: [rule({ authorities: [{ name: 'release', keyless }] })] });
  await write('policy.yaml', keylessPolicy, configMap);
  expect(await run()).toMatchObject({ exitCode: 0, stderr: '' });
  await write('policy.yaml', keylessPolicy);
  expect((await run()).stdout).toMatch(/there is no entry root\.json in a ConfigMap sigstore/);
});

describe('an update', () => {
  const unsigned = {
    images: { ...signed, 'registry.example/trading/app:2': { digest: `sha256:${'cd'.repeat(32)}` } },
  };
  const update = (expectation: object) => oneCase({ oldObject: 'old.yaml', ...expectation }, unsigned);

  test('judges what it changes', async () => {
    const { run, write } = await withTest(update({ expect: 'denied', because: ['image-not-verified'] }));
    await write('old.yaml', podObject('registry.example/trading/app:2'));
    await write(
      'pod.yaml',
      podObject('registry.example/trading/app:2', { metadata: { labels: { a: 'b' } } }),
    );
    expect((await run()).exitCode).toBe(1);
    await write('old.yaml', podObject(image));
    expect((await run()).exitCode).toBe(0);
  });

  test.each([
    ['another name', podObject(image, { metadata: { name: 'other' } })],
    ['another namespace', podObject(image, { metadata: { namespace: 'other' } })],
    ['another kind', deploymentObject(image)],
  ])('from %s is none', async (_, old) => {
    const { run, write } = await withTest(update({}));
    await write('old.yaml', old);
    expectFailure(
      await run(),
      2,
      /old\.yaml:1 does not become Pod trading\/app in .*pod\.yaml:1 by an update/,
    );
  });
});

describe('a test file', () => {
  const place = (line: number) => new RegExp(`a\\.test\\.yaml:${line}:\\d+: error: `);

  test.each([
    [
      'an unknown field',
      oneCase({ objekt: 'x' }),
      18,
      /cases\[0\]\.objekt: unknown field; the fields here are name, obj/,
    ],
    [
      'an unknown field at the top',
      oneCase({}, { case: [] }),
      20,
      /: case: unknown field; the fields here are polic/,
    ],
    [
      'an unknown field of an image',
      oneCase({}, { images: { [image]: { digest, signedby: [] } } }),
      8,
      /unknown field/,
    ],
    ['no object', oneCase({ object: undefined }), 14, /cases\[0\]\.object: missing; it is required here/],
    [
      'an outcome that there is not',
      oneCase({ expect: 'maybe' }),
      17,
      /it is one of allowed, warned, denied \(found "ma/,
    ],
    ['no case', oneCase({}, { cases: [] }), 13, /cases: a test without cases proves nothing/],
    ['no policy', oneCase({}, { policies: [] }), 2, /policies: name the files with the policies/],
    ['no time', oneCase({}, { now: 'yesterday' }), 20, /now: a time is written "2027-01-31T00:00:00Z"/],
    ['no namespace', oneCase({}, { namespace: 'A B' }), 20, /namespace: not a namespace \(found "A B"\)/],
    [
      'no digest',
      oneCase({}, { images: { [image]: { digest: 'x' } } }),
      7,
      /a digest is sha256: and 64 lower-case/,
    ],
    [
      'a finding that there is not',
      oneCase({ because: ['image-not-verifid'] }),
      19,
      /did you mean image-not-verified\?/,
    ],
    [
      'one that resembles none',
      oneCase({ because: ['zzz'] }),
      19,
      /no finding has this code; there are image-invalid, /,
    ],
  ])('with %s is refused, with the line', async (_, content, line, message) => {
    const { run } = await withTest(content);
    expectFailure(await run(), 2, place(line), message);
  });

  test.each([
    [
      'is misspelt',
      'ci/ci-2025',
      /no policy of the test knows "ci\/ci-2025" \(authority\/keyset\); did you mean ci\/ci-202[67]\?/,
    ],
    ['lacks its keyset', 'ci', /did you mean ci\/ci-2026\?/],
    ['is another', 'release/x', /they know ci\/ci-2026, ci\/ci-2027/],
  ])('with a signer that %s is refused', async (_, name, message) => {
    const inImage = { images: { [image]: { digest, signedBy: [name] } } };
    const { run, write } = await withTest(oneCase({ expect: 'denied' }, inImage));
    expectFailure(
      await run(),
      2,
      place(9),
      /images\["registry.example\/trading\/app:1"\]\.signedBy\[0\]/,
      message,
    );
    const attestations = [{ predicateType: 'https://slsa.dev/provenance/v1', signedBy: [name] }];
    await write(
      'a.test.yaml',
      oneCase({ expect: 'denied' }, { images: { [image]: { digest, attestations } } }),
    );
    expectFailure(await run(), 2, /attestations\[0\]\.signedBy\[0\]/, message);
  });

  test.each([
    ['an invalid name', { 'A B': { digest } }, /images\["A B"\]: "A B" is no image reference/],
    [
      'another digest',
      { [`registry.example/a@sha256:${'0'.repeat(64)}`]: { digest } },
      /has another digest than/,
    ],
    [
      'two things of one digest',
      {
        [image]: { digest },
        [`registry.example/trading/app@${digest}`]: { digest, signedBy: ['ci/ci-2026'] },
      },
      /something else is stated of registry\.example\/trading\/app@sha256:abab/,
    ],
  ])('that states %s is refused', async (_, images, message) => {
    expectFailure(await (await withTest(oneCase({}, { images }))).run(), 2, message);
  });

  test('may state one image under its tag and under its digest', async () => {
    const byDigest = `registry.example/trading/app@${digest}`;
    const images = { ...signed, [byDigest]: { digest, signedBy: ['ci/ci-2026'] } };
    const { run, write } = await withTest(oneCase({}, { images }));
    expect((await run()).exitCode).toBe(0);
    await write('pod.yaml', podObject(byDigest));
    expect((await run()).exitCode).toBe(0);
  });

  test.each([
    ['empty', '', /a\.test\.yaml is empty/],
    ['a comment', '# nothing', /holds 0 documents; a policy test is one/],
    ['two documents', 'policies: [a]\n---\npolicies: [b]', /holds 2 documents/],
    ['no YAML', 'a: b: c', /a\.test\.yaml:1:\d+: error: not valid YAML/],
    ['a list', '[]', /error: Invalid input: expected object, received array/],
    ['a name twice', 'policies: [a]\npolicies: [b]', /a\.test\.yaml:2:\d+: error: not valid YAML/],
  ])('that is %s is refused', async (_, content, message) => {
    expectFailure(await (await withTest(content)).run(), 2, message);
  });

  test.each([
    [
      'a policy that is not there',
      oneCase({}, { policies: ['nope.yaml'] }),
      /the policy file .*nope\.yaml: there is no/,
    ],
    [
      'an object that is not there',
      oneCase({ object: 'nope.yaml' }),
      /the manifest .*nope\.yaml: there is no such/,
    ],
    [
      'a file without policies',
      oneCase({}, { policies: ['none.yaml'], images: {} }),
      /there is no QuantumSecurityPolicy/,
    ],
    ['standard input', oneCase({ object: '-' }), /the manifest \/.*\/-: there is no such file/],
  ])('that names %s is refused', async (_, content, message) => {
    const { run, write } = await withTest(content);
    await write('none.yaml', '# nothing');
    expectFailure(await run(), 2, message);
  });

  test('is found in the directories of a directory, sorted', async () => {
    const { run, write } = await withTest(oneCase());
    await write('below/b.test.yaml', oneCase({ object: '../pod.yaml' }, { policies: ['../policy.yaml'] }));
    const { stdout } = await run();
    expect(stdout.match(/[ab]\.test\.yaml/g)).toEqual(['a.test.yaml', 'b.test.yaml']);
  });

  test('may end in .yml', async () => {
    const { run, write } = await withTest(oneCase());
    await write('b.test.yml', oneCase({ expect: 'denied' }));
    const { exitCode, stdout } = await run();
    expect(exitCode).toBe(1);
    expect(stdout.match(/[ab]\.test\.ya?ml/g)).toEqual(['a.test.yaml', 'b.test.yml']);
  });

  test('is looked for, and named when there is none', async () => {
    const empty = await workspace();
    expectFailure(
      await trellis('policy', 'test', empty.directory),
      2,
      /holds no \*\.test\.yaml and no \*\.test\.yml\n {2}examples\/policy-t/,
    );
    expectFailure(
      await trellis('policy', 'test', empty.path('nope')),
      2,
      /the policy test .*nope: there is no such file/,
    );
    expectFailure(await trellis('policy', 'test'), 2, /missing required argument 'path'/);
  });
});

test('two cases of one name are a mistake', async () => {
  const each = { name: 'runs', object: 'pod.yaml', expect: 'allowed' };
  const { run } = await withTest({ policies: ['policy.yaml'], images: signed, cases: [each, each] });
  expectFailure(
    await run(),
    2,
    /a\.test\.yaml:\d+:\d+: error: cases\[1\]\.name: there is another case "runs"; give each a name of its own/,
  );
});
