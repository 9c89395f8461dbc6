// Who gets which token, asked over the wire of a whole control plane.

import { readFile, stat } from 'node:fs/promises';
import type { ClientHttp2Session } from 'node:http2';
import { join as joinPath } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { mintWorkloadToken } from '../../../src/agent/identity-client.ts';
import {
  MintWorkloadTokenRequestSchema,
  type TokenType as WireType,
} from '../../../src/gen/proto/trellis/identity/v1/identity_pb.ts';
import { unaryCall } from '../../../src/grpc/client.ts';
import { status } from '../../../src/grpc/status.ts';
import type { TlsCredentials } from '../../../src/identity/mesh-tls.ts';
import { tokenKeysFromJwks } from '../../../src/identity/tokens/token-keys.ts';
import { type TokenType, tokenTypes } from '../../../src/identity/tokens/types.ts';
import { verifyToken } from '../../../src/identity/tokens/verify.ts';
import { TestControlPlane } from '../../support/control-plane.ts';
import { counterFlaws, signedByThief } from '../../support/impostors.ts';
import { namespace, spiffeId, trustDomain, workloadManifests } from '../../support/manifests.ts';
import { connectAgent, obtainIdentity } from '../../support/mesh-client.ts';
import { until } from '../../support/until.ts';

const path = '/trellis.identity.v1.Identity/MintWorkloadToken';
const audience = spiffeId('server');

let controlPlane: TestControlPlane;

beforeAll(async () => {
  controlPlane = await TestControlPlane.start({
    manifests: {
      'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1', serviceAccount: 'buyer' }),
      'other.yaml': workloadManifests({ name: 'other', address: '10.0.0.2' }),
      'suspect.yaml': workloadManifests({ name: 'suspect', address: '10.0.0.3' }),
    },
  });
});

async function connect(credentials?: TlsCredentials): Promise<ClientHttp2Session> {
  const session = await connectAgent(controlPlane, credentials);
  onTestFinished(() => session.destroy());
  return session;
}

const agentOf = async (workload: string) =>
  await connect((await obtainIdentity(controlPlane, workload)).agent);

const mint = (
  session: ClientHttp2Session,
  name: string,
  change: { type?: TokenType; audience?: string } = {},
) => mintWorkloadToken(session, { namespace, name }, { type: 'ML-DSA', audience, ...change });

const raw = (
  session: ClientHttp2Session,
  type: number,
  change: { audience?: string; name?: string } = {},
) => {
  const workload = { namespace, name: change.name ?? 'client' };
  const request = { type: type as WireType, audience: change.audience ?? audience, workload };
  const bytes = toBinary(MintWorkloadTokenRequestSchema, create(MintWorkloadTokenRequestSchema, request));
  return unaryCall(session, path, bytes, { timeoutMs: 10_000 });
};

async function publishedKeys() {
  const read = (file: string) => readFile(joinPath(controlPlane.stateDirectory, file), 'utf8');
  return tokenKeysFromJwks({
    workloadTokens: await read('workload-token-keys.json'),
    jwtSvids: await read('jwt-svid-keys.json'),
  });
}

const minted = (type: string, result: string) =>
  controlPlane.metric('trellis_tokens_minted_total', { type, result });

describe('an agent', () => {
  test.each(tokenTypes)('gets a %s token with the identity of its pod', async (type) => {
    const before = await minted(type, 'issued');
    const { agent } = await obtainIdentity(controlPlane, 'client');
    const { token, expiresAt } = await mint(await connect(agent), 'client', { type });
    // The keys in the bundle and those in the files are the same.
    for (const keys of [agent.tokenKeys, await publishedKeys()]) {
      expect(verifyToken(token, keys, { trustDomain, now: new Date() })).toMatchObject({
        type,
        subject: spiffeId('buyer'),
        audience,
        expiresAt,
      });
    }
    expect(await minted(type, 'issued')).toBe(before + 1);
  });

  test('gets the keys of tokens with every identity', async () => {
    const { agent, svid } = await obtainIdentity(controlPlane, 'client');
    const kids = [...(await publishedKeys()).byKid.keys()];
    expect(kids).toHaveLength(2);
    expect([...agent.tokenKeys.byKid.keys()]).toEqual(kids);
    expect([...svid.tokenKeys.byKid.keys()]).toEqual(kids);
  });

  test.each([
    ['another pod', 'other'],
    ['a pod that does not exist', 'nobody'],
    ['its own pod’s name in another spelling', 'CLIENT'],
    ['no pod', ''],
  ])('that asks for %s is refused: PERMISSION_DENIED', async (_, name) => {
    const before = await minted('ML-DSA', 'denied');
    await expect(mint(await agentOf('client'), name)).rejects.toMatchObject({
      code: status.permissionDenied,
    });
    expect(await minted('ML-DSA', 'denied')).toBe(before + 1);
  });

  test.each([
    ['none', ''],
    ['a control character', 'a\tb'],
    ['more than 2048 characters', 'a'.repeat(2049)],
  ])('that asks for an audience of %s is refused: INVALID_ARGUMENT', async (_, wrong) => {
    await expect(mint(await agentOf('client'), 'client', { audience: wrong })).rejects.toMatchObject({
      code: status.invalidArgument,
      message: expect.stringMatching(/^ERR_TOKEN_AUDIENCE: /),
    });
  });

  test.each([0, 3, -1])('that asks for a token of type %i is refused: INVALID_ARGUMENT', async (type) => {
    const before = await minted('unknown', 'denied');
    await expect(raw(await agentOf('client'), type)).rejects.toMatchObject({
      code: status.invalidArgument,
      message: `there is no type of token with the number ${type}`,
    });
    expect(await minted('unknown', 'denied')).toBe(before + 1);
  });

  test('that asks in a message that is another one is refused: INVALID_ARGUMENT', async () => {
    const session = await agentOf('client');
    await expect(unaryCall(session, path, Buffer.from([0xff]), { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: status.invalidArgument,
    });
  });

  test('learns nothing of a type or an audience that are wrong for a pod that it does not hold', async () => {
    const session = await agentOf('client');
    for (const [type, wrong] of [
      [0, audience],
      [1, ''],
    ] as const) {
      await expect(raw(session, type, { audience: wrong, name: 'other' })).rejects.toMatchObject({
        code: status.permissionDenied,
      });
    }
  });

  test('gets none for an identity in quarantine', async () => {
    const session = await agentOf('suspect');
    await mint(session, 'suspect');
    await controlPlane.write('quarantine.yaml', [
      {
        apiVersion: 'security.quantum.io/v1',
        kind: 'QuantumSecurityPolicy',
        metadata: { name: 'incident', namespace: 'trellis-system' },
        spec: { quarantine: [spiffeId('suspect')] },
      },
    ]);
    const refusal = await until('a refusal', () =>
      mint(session, 'suspect').then(
        () => undefined,
        (error: { code: number; message: string }) => error,
      ),
    );
    expect(refusal).toMatchObject({
      code: status.permissionDenied,
      message: expect.stringContaining('in quarantine by trellis-system/incident'),
    });
  });
});

describe('without the certificate of an agent there is none: UNAUTHENTICATED', () => {
  test.each<[string, () => Promise<TlsCredentials | undefined>]>([
    ['with none', async () => undefined],
    ['with that of a workload', async () => (await obtainIdentity(controlPlane, 'client')).svid],
    ...counterFlaws.map((flaw): [string, () => Promise<TlsCredentials>] => [
      `with one whose counter-signature is ${flaw}`,
      async () => {
        const { agent } = await obtainIdentity(controlPlane, 'client');
        return signedByThief(await controlPlane.ca(), flaw, { spiffeId: agent.spiffeId });
      },
    ]),
  ])('%s', async (_, credentials) => {
    const session = await connect(await credentials());
    await expect(mint(session, 'client')).rejects.toMatchObject({ code: status.unauthenticated });
  });

  test('with that of an agent which was forgotten: PERMISSION_DENIED', async () => {
    const session = await agentOf('other');
    await controlPlane.forgetAgents();
    await expect(mint(session, 'other')).rejects.toMatchObject({ code: status.permissionDenied });
  });
});

describe('the keys', () => {
  test('are the same after a restart, and so are the files', async () => {
    const before = [...(await publishedKeys()).byKid.keys()];
    await controlPlane.stop();
    await controlPlane.start();
    expect([...(await publishedKeys()).byKid.keys()]).toEqual(before);
    for (const file of ['workload-token-keys.json', 'jwt-svid-keys.json']) {
      const { mode } = await stat(joinPath(controlPlane.stateDirectory, file));
      expect(mode & 0o777).toBe(0o600);
    }
  });

  test('and the tokens are never logged', async () => {
    const { token } = await mint(await agentOf('client'), 'client');
    const log = controlPlane.log.text.join('');
    expect(log).toContain('minted a token');
    for (const part of token.split('.')) expect(log).not.toContain(part);
    expect(log).not.toMatch(/PRIVATE KEY|BEGIN/);
  });
});
