// With whose credentials registries are asked, and where those end up, on a real API server and with Secrets as kubectl makes them.

import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { messageOf, podSpec, storedPod } from '../support/admission/pods.ts';
import { jsonAnswer, type RegistryFront, startRegistryFront } from '../support/admission/registry-front.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import { onEnd } from '../support/cleanup.ts';
import { loopbackAddress } from '../support/ports.ts';
import { type PushedManifest, pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry, testAccount } from '../support/registry.ts';

const basic = `Basic ${Buffer.from(`${testAccount.user}:${testAccount.password}`).toString('base64')}`;

let cluster: AdmissionCluster;
let ci: TestSigner;
/** Both let in nobody without the account of the tests. */
let [byPassword, byToken]: [TestRegistry, TestRegistry] = [] as never;
/** Before the first of them, and somebody else's. */
let [front, stranger]: [RegistryFront, RegistryFront] = [] as never;
/** A directory with programs that a configuration could name; and what they would leave. */
let programs: string;

beforeAll(async () => {
  byPassword = await startRegistry({ kind: 'ggcr', auth: 'basic' });
  byToken = await startRegistry({ kind: 'ggcr', auth: 'bearer' });
  [front, stranger] = [await startRegistryFront(byPassword), await startRegistryFront(undefined)];
  ci = await makeSigner();
  programs = await mkdtemp(join(tmpdir(), 'trellis-helpers-'));
  onEnd(() => rm(programs, { recursive: true, force: true }));
  const helper = join(programs, 'docker-credential-helper');
  await writeFile(helper, `#!/bin/sh\n: > ${join(programs, 'started')}\n`);
  await chmod(helper, 0o755);
  const hosts = [byPassword.host, byToken.host, front.host, stranger.host];
  cluster = await startAdmission({
    plainHttp: hosts,
    registryAddresses: ['127.0.0.1/32'],
    env: { PATH: `${programs}:/usr/bin:/bin` },
  });
  const images = [{ match: ['**'], authorities: [ci.authority()], bindReference: 'none' }];
  for (const namespace of ['trading', 'other']) {
    await cluster.createNamespace(namespace);
    await cluster.applyPolicy(namespace, 'images', { images });
  }
  for (const host of [byPassword.host, byToken.host, front.host])
    await makeSecret('trading', nameOf(host), host);
});

beforeEach(() => {
  for (const each of [front, stranger]) {
    each.intercept(undefined);
    each.forget();
  }
});

/** Of the Secret for a registry. */
const nameOf = (host: string) => `pull-${host.split(':')[1]}`;

async function makeSecret(namespace: string, name: string, server: string): Promise<void> {
  const { status, stderr } = await cluster.kube.kubectl([
    ...['create', 'secret', 'docker-registry', name, '-n', namespace, `--docker-server=${server}`],
    ...[`--docker-username=${testAccount.user}`, `--docker-password=${testAccount.password}`],
  ]);
  if (status !== 0) throw new Error(stderr);
}

/** A signed image that nobody has looked at yet. */
async function signed(registry: TestRegistry, repository: string): Promise<PushedManifest> {
  const image = await pushTestImage(registry, { repository, tag: '1' });
  await ci.sign(image.reference, '--docker-config', registry.dockerConfig);
  return image;
}

let pods = 0;

async function ask(namespace: string, image: string, secrets: readonly string[] = [], more: object = {}) {
  pods += 1;
  const imagePullSecrets = secrets.map((name) => ({ name }));
  const name = `pod-${pods}`;
  const answer = await cluster.createPod(namespace, name, podSpec(image, { imagePullSecrets, ...more }));
  const stored = await storedPod(cluster.kube, namespace, name);
  return { status: answer.status, message: messageOf(answer), stored: stored?.spec.containers[0]?.image };
}

describe('pull secrets', () => {
  test.each(['by a password', 'by a token'])(
    'of the pod open a registry %s, by tag and by digest',
    async (how) => {
      const registry = how === 'by a password' ? byPassword : byToken;
      const image = await signed(registry, 'own');
      const without = await ask('trading', image.reference);
      expect(without.status).toBe(503);
      expect(without.message).toContain('pull secrets of the pod');
      const tag = `${registry.host}/own:1`;
      const secret = nameOf(registry.host);
      expect(await ask('trading', tag, [secret])).toMatchObject({
        status: 201,
        stored: `${tag}@${image.digest}`,
      });
      expect(await ask('trading', image.reference, [secret])).toMatchObject({ status: 201 });
      const log = await cluster.replicas[0]?.program.log();
      expect(log).not.toContain(testAccount.password);
      expect(log).not.toContain(basic.slice('Basic '.length));
    },
  );

  test('of its service account do as well', async () => {
    const image = await signed(byPassword, 'account');
    const account = { metadata: { name: 'robot' }, imagePullSecrets: [{ name: nameOf(byPassword.host) }] };
    await cluster.kube.create('/api/v1/namespaces/trading/serviceaccounts', account);
    expect((await ask('trading', image.reference)).status).toBe(503);
    const answer = await ask('trading', image.reference, [], { serviceAccountName: 'robot' });
    expect(answer).toMatchObject({ status: 201 });
  });

  test('of another namespace do not, by whatever name', async () => {
    const image = await signed(byPassword, 'foreign');
    const name = nameOf(byPassword.host);
    for (const secret of [
      name,
      `../../trading/secrets/${name}`,
      `trading/${name}`,
      `..%2f..%2ftrading%2fsecrets%2f${name}`,
    ]) {
      const answer = await ask('other', image.reference, [secret]);
      expect([answer.status, answer.stored], secret).toEqual([503, undefined]);
    }
    expect((await ask('trading', image.reference, [name])).status).toBe(201);
  });

  test('start no program and open no file', async () => {
    const image = await signed(byPassword, 'helped');
    const configurations = {
      helper: { credHelpers: { [byPassword.host]: 'helper' }, credsStore: 'helper' },
      file: { auths: { [byPassword.host]: { identitytoken: 'file:///etc/passwd' } } },
    };
    for (const [name, configuration] of Object.entries(configurations)) {
      const data = Buffer.from(JSON.stringify(configuration)).toString('base64');
      await cluster.kube.create('/api/v1/namespaces/trading/secrets', {
        ...{
          metadata: { name },
          type: 'kubernetes.io/dockerconfigjson',
          data: { '.dockerconfigjson': data },
        },
      });
      expect((await ask('trading', image.reference, [name])).status).toBe(503);
    }
    await expect(stat(join(programs, 'started'))).rejects.toThrow('ENOENT');
  });
});

/** Wants to be told who asks. */
function challenge(realm: string | undefined) {
  const wanted = realm === undefined ? 'Basic realm="please"' : `Bearer realm="${realm}",service="please"`;
  const headers = { 'www-authenticate': wanted, 'content-type': 'application/json' };
  return { status: 401, headers, body: Buffer.from('{}') };
}

const authorizations = ({ seen }: RegistryFront) =>
  seen.flatMap(({ headers }) => headers.authorization ?? []);

describe('credentials are for their registry', () => {
  test('and not for another that asks for them', async () => {
    const secrets = [byPassword, byToken, front].map(({ host }) => nameOf(host));
    for (const realm of [undefined, `http://${stranger.host}/token`]) {
      stranger.intercept(async () => challenge(realm));
      for (const rest of [':1', `@sha256:${'a'.repeat(64)}`]) {
        expect((await ask('trading', `${stranger.host}/own${rest}`, secrets)).stored).toBeUndefined();
      }
    }
    expect(stranger.seen.length).toBeGreaterThan(2);
    expect(authorizations(stranger)).toEqual([]);
  });

  test('and not for where it sends us to', async () => {
    const image = await signed(byPassword, 'sent');
    const isContent = (path: string) => path.includes('/blobs/') || path.includes('/manifests/');
    front.intercept(async ({ path }) =>
      isContent(path)
        ? { status: 307, headers: { location: `http://${stranger.host}${path}` }, body: Buffer.alloc(0) }
        : undefined,
    );
    stranger.intercept(async ({ path, method }) => {
      const { status, headers, body } = await byPassword.request(method, path);
      const kept = {
        'content-type': String(headers['content-type']),
        'docker-content-digest': String(headers['docker-content-digest']),
      };
      return { status, headers: kept, body };
    });
    const answer = await ask('trading', `${front.host}/sent@${image.digest}`, [nameOf(front.host)]);
    expect(answer.message).toBe('');
    expect(answer).toMatchObject({ status: 201 });
    expect(authorizations(front)).toContain(basic);
    expect(stranger.seen.length).toBeGreaterThan(0);
    expect(authorizations(stranger)).toEqual([]);
  });
});

describe('a registry that may be asked leads us nowhere that we may not go:', () => {
  let host: string;
  let connections = 0;

  beforeAll(async () => {
    const address = loopbackAddress();
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    server.listen(0, address);
    await once(server, 'listening');
    onEnd(() => server.close());
    const at = server.address();
    host = `${address}:${at === null || typeof at === 'string' ? 0 : at.port}`;
  });

  const expectNowhere = async () => {
    for (const rest of [':1', `@sha256:${'a'.repeat(64)}`]) {
      const answer = await ask('trading', `${stranger.host}/app${rest}`, [nameOf(byPassword.host)]);
      expect([403, 503], answer.message).toContain(answer.status);
      expect(answer.stored).toBeUndefined();
    }
    expect(stranger.seen.length).toBeGreaterThan(0);
    expect(connections).toBe(0);
  };

  test.each([301, 302, 303, 307, 308])('by a redirect (%d)', async (status) => {
    const places = [
      `http://${host}/`,
      `https://${host}/`,
      'http://169.254.169.254/latest/meta-data/',
      'file:///etc/passwd',
    ];
    for (const location of places) {
      stranger.intercept(async () => ({ status, headers: { location }, body: Buffer.alloc(0) }));
      await expectNowhere();
    }
  });

  test('by naming who gives out tokens', async () => {
    for (const realm of [`http://${host}/token`, `https://${host}/token`, 'http://169.254.169.254/token']) {
      stranger.intercept(async () => challenge(realm));
      await expectNowhere();
    }
  });

  test('by the next page of a list', async () => {
    stranger.intercept(async ({ path }) => {
      if (!path.includes('/referrers/')) return undefined;
      const list = jsonAnswer({ schemaVersion: 2, manifests: [] }, 'application/vnd.oci.image.index.v1+json');
      return { ...list, headers: { ...list.headers, link: `<http://${host}/next>; rel="next"` } };
    });
    await expectNowhere();
  });

  test('what it says of its own is not told in full to whoever asks', async () => {
    const secret = 'internal-secret '.repeat(1_000);
    stranger.intercept(async () =>
      jsonAnswer({ errors: [{ code: 'DENIED', message: secret }] }, 'application/json', 403),
    );
    const answer = await ask('trading', `${stranger.host}/app@sha256:${'a'.repeat(64)}`);
    expect(answer.status).toBe(503);
    expect(answer.message.length).toBeLessThan(2_000);
  });
});
