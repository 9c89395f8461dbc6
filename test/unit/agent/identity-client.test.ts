// What an agent takes from the control plane's answers, and what it does not.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, test } from 'vitest';
import { AgentError } from '../../../src/agent/errors.ts';
import { join, mintWorkloadSvid, renewAgent } from '../../../src/agent/identity-client.ts';
import { generateSigningKey, spkiDer } from '../../../src/crypto/keys.ts';
import { parseCsr } from '../../../src/crypto/x509/csr.ts';
import { issueSvid } from '../../../src/crypto/x509/issue.ts';
import {
  JoinRequestSchema,
  JoinResponseSchema,
  MintWorkloadSvidRequestSchema,
  MintWorkloadSvidResponseSchema,
} from '../../../src/gen/proto/trellis/identity/v1/identity_pb.ts';
import type { Method } from '../../../src/grpc/call.ts';
import { serveGrpc } from '../../../src/grpc/server.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { tokenJwksOf } from '../../../src/identity/tokens/token-keys.ts';
import { strangerRoot } from '../../support/impostors.ts';
import { trustDomain } from '../../support/manifests.ts';

const root = strangerRoot();
const classicalRoot = strangerRoot('ECDSA-P256');
const id = `spiffe://${trustDomain}/ns/shop/sa/client`;
const workload = { namespace: 'shop', name: 'client' };

type Answer = Extract<MessageInitShape<typeof MintWorkloadSvidResponseSchema>, { $typeName?: never }>;

function certificate(subjectKey: Uint8Array, spiffeId = id): Buffer {
  return issueSvid(root.issuer, {
    subjectKey,
    spiffeId,
    serial: randomBytes(20),
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 60_000),
  });
}

const tokenKeys = {
  'ML-DSA': generateSigningKey('ML-DSA-65'),
  'JWT-SVID': generateSigningKey('ECDSA-P256'),
} as const;
const jwks = tokenJwksOf(tokenKeys);
const trustBundle = {
  trustDomain,
  x509Authorities: [root.certificate.der],
  workloadTokenKeys: jwks.workloadTokens,
  jwtSvidKeys: jwks.jwtSvids,
};
const good = (subjectKey: Uint8Array): Answer => ({
  svid: { spiffeId: id, certificates: [certificate(subjectKey)] },
  trustBundle,
});

const seen: { path: string; bytes: Uint8Array }[] = [];
let answer: (subjectKey: Uint8Array) => Uint8Array;
let session: ClientHttp2Session;

const mint = () => mintWorkloadSvid(session, workload, trustDomain);
const answering = (make: (subjectKey: Uint8Array) => Answer): void => {
  answer = (subjectKey) =>
    toBinary(MintWorkloadSvidResponseSchema, create(MintWorkloadSvidResponseSchema, make(subjectKey)));
};

beforeAll(async () => {
  const method = (name: string): [string, Method] => {
    const path = `/trellis.identity.v1.Identity/${name}`;
    const handle = async (bytes: Uint8Array): Promise<Uint8Array> => {
      seen.push({ path: name, bytes });
      // The request for a certificate is field 2 of Join and Mint, and field 1 of Renew; all three have it as bytes.
      const { csr } =
        name === 'Join'
          ? fromBinary(JoinRequestSchema, bytes)
          : fromBinary(MintWorkloadSvidRequestSchema, bytes);
      return answer(csr.length === 0 ? new Uint8Array() : parseCsr(csr).publicKey);
    };
    return [path, { kind: 'unary', handle }];
  };
  const server = createServer();
  const grpc = serveGrpc(server, new Map([method('Join'), method('MintWorkloadSvid')]));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on('error', () => {});
  return async () => {
    session.destroy();
    await grpc.close(0);
  };
});

async function expectUnusable(reason: RegExp, action: () => Promise<unknown> = mint): Promise<void> {
  const error = await action().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AgentError);
  expect(error).toMatchObject({ code: 'ERR_AGENT_ANSWER', message: expect.stringMatching(reason) });
}

test('a good answer becomes an SVID with a key that was made here', async () => {
  answering(good);
  const svid = await mint();
  expect(svid.spiffeId).toBe(id);
  expect(svid.leaf.publicKey.equals(svid.key.publicKey)).toBe(true);
  expect(svid.key.algorithm).toBe('ML-DSA-65');
  expect(svid.anchors.map(({ der }) => der)).toEqual([root.certificate.der]);
  const keys = [...svid.tokenKeys.byKid.values()];
  expect(keys.map(({ type }) => type)).toEqual(['ML-DSA', 'JWT-SVID']);
  for (const { type, publicKey } of keys) expect(publicKey.equals(tokenKeys[type].publicKey)).toBe(true);
});

test('a request holds the name of the workload and a public key, each time another, and nothing private', async () => {
  answering(good);
  seen.length = 0;
  const svids = [await mint(), await mint()];
  const requests = seen.map(({ bytes }) => fromBinary(MintWorkloadSvidRequestSchema, bytes));
  expect(requests.map((request) => request.workload)).toMatchObject([workload, workload]);
  const keys = requests.map(({ csr }) => parseCsr(csr).publicKey);
  expect(keys).toEqual(svids.map(({ key }) => spkiDer(key)));
  expect(new Set(keys.map((key) => createHash('sha256').update(key).digest('hex'))).size).toBe(2);
});

describe('an answer is not taken', () => {
  test.each<[what: string, reason: RegExp, make: (subjectKey: Uint8Array) => Answer]>([
    ['without an SVID', /lacks an SVID/, () => ({ trustBundle })],
    [
      'without a certificate',
      /lacks an SVID/,
      () => ({ svid: { spiffeId: id, certificates: [] }, trustBundle }),
    ],
    [
      'without a trust bundle',
      /lacks a trust bundle/,
      (key) => ({ svid: { spiffeId: id, certificates: [certificate(key)] } }),
    ],
    [
      'with an empty trust bundle',
      /1 to 64 anchors, this one has 0/,
      (key) => ({ ...good(key), trustBundle: { ...trustBundle, x509Authorities: [] } }),
    ],
    [
      'with a certificate for another key',
      /for another key/,
      () => good(spkiDer(generateSigningKey('ML-DSA-65'))),
    ],
    [
      'with a certificate for another identity than it says',
      /for another identity/,
      (key) => ({ svid: { spiffeId: id, certificates: [certificate(key, `${id}-2`)] }, trustBundle }),
    ],
    [
      'of another trust domain',
      /for another identity/,
      (key) => {
        const foreign = 'spiffe://elsewhere.local/ns/shop/sa/client';
        return { svid: { spiffeId: foreign, certificates: [certificate(key, foreign)] }, trustBundle };
      },
    ],
    [
      'with an ECDSA anchor in its bundle',
      /ECDSA-P256/,
      (key) => ({
        ...good(key),
        trustBundle: {
          ...trustBundle,
          x509Authorities: [root.certificate.der, classicalRoot.certificate.der],
        },
      }),
    ],
    [
      'with a leaf for an anchor',
      /not a CA/,
      (key) => ({ ...good(key), trustBundle: { ...trustBundle, x509Authorities: [certificate(key)] } }),
    ],
    [
      'without the keys of workload tokens',
      /not a JWK set for ML-DSA tokens/,
      (key) => ({ ...good(key), trustBundle: { ...trustBundle, workloadTokenKeys: '' } }),
    ],
    [
      'without the keys of JWT-SVIDs',
      /not a JWK set for JWT-SVID tokens/,
      (key) => ({ ...good(key), trustBundle: { ...trustBundle, jwtSvidKeys: '' } }),
    ],
    [
      'with the keys in each other’s place',
      /there is no key for these tokens/,
      (key) => ({
        ...good(key),
        trustBundle: {
          ...trustBundle,
          workloadTokenKeys: jwks.jwtSvids,
          jwtSvidKeys: jwks.workloadTokens,
        },
      }),
    ],
    [
      'with something else than a certificate',
      /certificate/,
      () => ({ svid: { spiffeId: id, certificates: [Buffer.from('nonsense')] }, trustBundle }),
    ],
  ])('%s', async (_, reason, make) => {
    answering(make);
    await expectUnusable(reason);
    // The same call takes what is right.
    answering(good);
    expect((await mint()).spiffeId).toBe(id);
  });

  test('that is another message altogether', async () => {
    answer = () => Buffer.from([0xff, 0xff, 0xff]);
    await expectUnusable(/not a trellis.identity.v1.MintWorkloadSvidResponse/);
  });

  test('to a join that names no workload', async () => {
    const joinAnswer = (named: boolean) => (subjectKey: Uint8Array) =>
      toBinary(
        JoinResponseSchema,
        create(JoinResponseSchema, { ...(good(subjectKey) as object), ...(named ? { workload } : {}) }),
      );
    const joining = () => join(session, 'trellis-join-x', trustDomain);
    answer = joinAnswer(false);
    await expectUnusable(/lacks a workload/, joining);
    answer = joinAnswer(true);
    expect((await joining()).workload).toEqual(workload);
  });
});

test('what the control plane refuses is told as it says it', async () => {
  answer = () => {
    throw new GrpcError(status.permissionDenied, 'not yours');
  };
  await expect(mint()).rejects.toMatchObject({ code: status.permissionDenied, message: 'not yours' });
});

test('a method that it does not have is told as such', async () => {
  await expect(renewAgent(session, trustDomain)).rejects.toMatchObject({ code: status.unimplemented });
});
