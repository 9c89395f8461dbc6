import { describe, expect, test } from 'vitest';
import {
  type KubePullCredentialsOptions,
  kubePullCredentials,
} from '../../../../src/admission/pull-credentials/kube-pull-credentials.ts';
import type { CredentialSource } from '../../../../src/registry/auth/credentials.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { accountPath, forbidden, type Held, holding, pullSecret, secretOf, secretPath } from './support.ts';

const { signal } = new AbortController();
const start = new Date('2026-11-21T12:00:00Z');

interface Pod {
  readonly namespace?: string;
  readonly serviceAccountName?: string;
  readonly imagePullSecrets?: readonly string[];
}

function credentialsOver(kube: Held, options: Partial<KubePullCredentialsOptions> = {}) {
  const of = kubePullCredentials({ client: kube.client, now: () => start, ...options });
  return async (pod: Pod = {}, asking = signal) =>
    await of({ namespace: 'trading', serviceAccountName: 'default', imagePullSecrets: [], ...pod }, asking);
}

type Got = Awaited<ReturnType<ReturnType<typeof kubePullCredentials>>>;

/** Users in the order in which they are tried. */
async function users({ source, others = [] }: Got, image = 'registry.example/a'): Promise<unknown[]> {
  const found = await Promise.all([source, ...others].map((each) => each(parseReference(image))));
  return found.flatMap((each) => (each?.kind === 'password' ? each.username : (each?.kind ?? [])));
}

const node: CredentialSource = async () => ({ kind: 'password', username: 'node', password: 'p' });

describe('whose they are', () => {
  test('the pod’s Secrets, one by one and of its namespace, and the service account is not asked', async () => {
    const kube = holding({
      [secretPath('one')]: pullSecret('one'),
      [secretPath('two')]: pullSecret('two'),
      [secretPath('one', 'other')]: pullSecret('other'),
    });
    const got = await credentialsOver(kube)({ imagePullSecrets: ['one', 'two', 'one'] });
    expect(await users(got)).toEqual(['one', 'two']);
    expect(kube.asked).toEqual([secretPath('one'), secretPath('two')]);
    expect(got.hint).toBeUndefined();
  });

  test('those of the service account when the pod names none', async () => {
    const kube = holding({
      [accountPath('robot')]: { imagePullSecrets: [{ name: 'one' }, {}] },
      [secretPath('one')]: pullSecret('one'),
    });
    expect(await users(await credentialsOver(kube)({ serviceAccountName: 'robot' }))).toEqual(['one']);
    expect(kube.asked).toEqual([accountPath('robot'), secretPath('one')]);
  });

  test('then those of the process, for whatever the Secrets are not for', async () => {
    const kube = holding({ [secretPath('one')]: pullSecret('one') });
    const got = await credentialsOver(kube, { node })({ imagePullSecrets: ['one'] });
    expect(await users(got)).toEqual(['one', 'node']);
    expect(await users(got, 'elsewhere.example/a')).toEqual(['node']);
    expect(await users(await credentialsOver(holding(), { node })())).toEqual(['node']);
  });

  test('a Secret is for its registry and no other', async () => {
    const kube = holding({ [secretPath('one')]: pullSecret('one') });
    const got = await credentialsOver(kube)({ imagePullSecrets: ['one'] });
    for (const image of ['evil.example/a', 'registry.example.evil/a', 'registry.example:5000/a', 'nginx'])
      expect(await users(got, image)).toEqual([]);
  });

  test('of the older type, too', async () => {
    const content = JSON.stringify({ 'registry.example': { username: 'old', password: 'p' } });
    const kube = holding({
      [secretPath('old')]: secretOf('kubernetes.io/dockercfg', { '.dockercfg': content }),
    });
    expect(await users(await credentialsOver(kube)({ imagePullSecrets: ['old'] }))).toEqual(['old']);
  });

  test('so many and no more are tried', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `secret-${index}`);
    const kube = holding(Object.fromEntries(names.map((name) => [secretPath(name), pullSecret(name)])));
    const options = { node, limits: { maxSecrets: 5, maxCandidates: 4 } };
    const got = await credentialsOver(kube, options)({ imagePullSecrets: names });
    expect(kube.asked).toHaveLength(5);
    expect(await users(got)).toEqual(['secret-0', 'secret-1', 'secret-2', 'node']);
    expect(got.hint).toBe('the pod names 20 pull secrets, of which the first 5 are looked at');
  });
});

describe('what is of no use', () => {
  test('a Secret that is not there is skipped, as the kubelet does', async () => {
    const kube = holding({ [secretPath('two')]: pullSecret('two') });
    const got = await credentialsOver(kube)({ imagePullSecrets: ['one', 'two'] });
    expect(await users(got)).toEqual(['two']);
    expect(got.hint).toBeUndefined();
  });

  test('what may not be read is said when it is missed', async () => {
    const kube = holding({ [secretPath('one')]: forbidden, [accountPath('default')]: forbidden });
    const got = await credentialsOver(kube)({ imagePullSecrets: ['one'] });
    expect(await users(got)).toEqual([]);
    expect(got.hint).toMatch(/^the Secret trading\/one may not be read by this installation: /);
    const unnamed = await credentialsOver(kube)();
    expect(unnamed.hint).toMatch(/^the ServiceAccount trading\/default may not be read/);
  });

  test.each([
    ['of another type', secretOf('Opaque', { '.dockerconfigjson': '{}' }), /is no Secret with credentials/],
    ['without its entry', secretOf('kubernetes.io/dockercfg', {}), /is no Secret with credentials/],
    [
      'that is damaged',
      secretOf('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': 'hunter2' }),
      /is not the JSON that it should be$/,
    ],
  ])('a Secret %s', async (_, secret, hint) => {
    const kube = holding({ [secretPath('one')]: secret });
    const got = await credentialsOver(kube)({ imagePullSecrets: ['one'] });
    expect(await users(got)).toEqual([]);
    expect(got.hint).toMatch(hint);
    expect(got.hint).not.toMatch(/hunter2/);
  });

  test('names that lead elsewhere are the names of nothing', async () => {
    const kube = holding();
    const names = ['..', '../../kube-system/secrets/x', 'a/b', 'a?b', 'A', '', 'a'.repeat(254), '%2e%2e'];
    expect(await users(await credentialsOver(kube)({ imagePullSecrets: names }))).toEqual([]);
    expect(await users(await credentialsOver(kube)({ serviceAccountName: '../../x' }))).toEqual([]);
    expect(kube.asked).toEqual([]);
  });

  test('an API server that does not answer is an error, and asked again', async () => {
    const kube = holding({ [secretPath('one')]: new KubernetesError('ERR_KUBE_UNREACHABLE', 'away') });
    const credentials = credentialsOver(kube);
    await expect(credentials({ imagePullSecrets: ['one'] })).rejects.toMatchObject({
      code: 'ERR_KUBE_UNREACHABLE',
    });
    kube.objects.set(secretPath('one'), pullSecret('one'));
    expect(await users(await credentials({ imagePullSecrets: ['one'] }))).toEqual(['one']);
  });
});

describe('what they cost', () => {
  test('two hundred pods ask once, and those after some seconds again', async () => {
    let now = start;
    const kube = holding({
      [accountPath('default')]: { imagePullSecrets: [{ name: 'one' }, { name: 'gone' }] },
      [secretPath('one')]: pullSecret('one'),
    });
    const credentials = credentialsOver(kube, { now: () => now });
    await Promise.all(Array.from({ length: 200 }, () => credentials()));
    expect(kube.asked).toHaveLength(3);
    kube.objects.set(secretPath('one'), pullSecret('mended'));
    now = new Date(start.getTime() + 9_999);
    expect(await users(await credentials())).toEqual(['one']);
    now = new Date(start.getTime() + 10_000);
    expect(await users(await credentials())).toEqual(['mended']);
  });

  test('one pod that is not waited for any more takes nothing from the others', async () => {
    const kube = holding({ [secretPath('one')]: pullSecret('one') });
    const credentials = credentialsOver(kube);
    const hasty = new AbortController();
    const both = [hasty.signal, signal].map((each) => credentials({ imagePullSecrets: ['one'] }, each));
    hasty.abort(new Error('over'));
    await expect(both[0]).rejects.toThrow('over');
    expect((await both[1])?.scope).toBeDefined();
  });
});

describe('the scope', () => {
  const scopeOf = async (kube: Held, pod: Pod) => (await credentialsOver(kube)(pod)).scope;

  test('is one for all pods without Secrets', async () => {
    const kube = holding();
    const scopes = [{}, { namespace: 'other' }, { imagePullSecrets: ['gone'] }].map((pod) =>
      scopeOf(kube, pod),
    );
    expect(new Set(await Promise.all(scopes)).size).toBe(1);
  });

  test('is another one for other Secrets, another version, another namespace, another hint', async () => {
    const one = pullSecret('one');
    const kube = holding({
      [secretPath('one')]: one,
      [secretPath('one', 'other')]: one,
      [secretPath('two')]: pullSecret('two'),
      [secretPath('locked')]: forbidden,
    });
    const pods: Pod[] = [
      {},
      { imagePullSecrets: ['one'] },
      { imagePullSecrets: ['two'] },
      { imagePullSecrets: ['one', 'two'] },
      { imagePullSecrets: ['two', 'one'] },
      { imagePullSecrets: ['one', 'locked'] },
      { imagePullSecrets: ['locked'] },
      { imagePullSecrets: ['one'], namespace: 'other' },
    ];
    const scopes = await Promise.all(pods.map((pod) => scopeOf(kube, pod)));
    kube.objects.set(secretPath('one'), pullSecret('one'));
    scopes.push(await scopeOf(kube, { imagePullSecrets: ['one'] }));
    expect(new Set(scopes).size).toBe(scopes.length);
    expect(await scopeOf(kube, { imagePullSecrets: ['two'] })).toBe(scopes[2]);
    expect(scopes.join()).not.toMatch(/hunter2/);
  });
});
