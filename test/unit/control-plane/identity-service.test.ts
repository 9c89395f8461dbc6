// Who gets which identity, asked over the wire of a whole control plane.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectControlPlane } from '../../../src/agent/connect.ts';
import { join, mintWorkloadSvid, renewAgent } from '../../../src/agent/identity-client.ts';
import { bitString, oid, sequence, smallInteger, tlv } from '../../../src/crypto/der/write.ts';
import { generateSigningKey, type SigningKey, signBytes, spkiDer } from '../../../src/crypto/keys.ts';
import { encodeSignatureAlgorithm } from '../../../src/crypto/spki.ts';
import { parseCertificate } from '../../../src/crypto/x509/certificate.ts';
import { createCsr } from '../../../src/crypto/x509/csr.ts';
import { encodeName } from '../../../src/crypto/x509/name.ts';
import { svidId } from '../../../src/crypto/x509/svid.ts';
import { DeltaDiscoveryRequestSchema } from '../../../src/gen/proto/envoy/service/discovery/v3/discovery_pb.ts';
import {
  JoinRequestSchema,
  MintWorkloadSvidRequestSchema,
  MintWorkloadSvidResponseSchema,
  RenewAgentRequestSchema,
} from '../../../src/gen/proto/trellis/identity/v1/identity_pb.ts';
import { serverStream, unaryCall } from '../../../src/grpc/client.ts';
import { frame } from '../../../src/grpc/framing.ts';
import { status } from '../../../src/grpc/status.ts';
import { trustBundleFromPem } from '../../../src/identity/bundle.ts';
import type { TlsCredentials } from '../../../src/identity/mesh-tls.ts';
import { adsPath } from '../../../src/xds/agreed-names.ts';
import { typeUrls } from '../../../src/xds/resources.ts';
import { TestControlPlane } from '../../support/control-plane.ts';
import {
  counterFlaws,
  issuedByMesh,
  issuedByStranger,
  signedByThief,
  strangerRoot,
} from '../../support/impostors.ts';
import { namespace, spiffeId, trustDomain, workloadManifests } from '../../support/manifests.ts';
import { connectAgent, obtainIdentity } from '../../support/mesh-client.ts';
import { until } from '../../support/until.ts';
import { subjectAltName, uriName } from '../crypto/support/forge.ts';

const tokenForm = /trellis-join-[A-Za-z0-9_-]{43}/;

let controlPlane: TestControlPlane;

beforeAll(async () => {
  controlPlane = await TestControlPlane.start({
    manifests: {
      'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1', serviceAccount: 'buyer' }),
      'other.yaml': workloadManifests({ name: 'other', address: '10.0.0.2' }),
      'plain.yaml': workloadManifests({ name: 'plain', address: '10.0.0.3', meshed: false }),
    },
  });
});

async function connect(credentials?: TlsCredentials): Promise<ClientHttp2Session> {
  const session = await connectAgent(controlPlane, credentials);
  onTestFinished(() => session.destroy());
  return session;
}

/** A connection of the agent that was admitted for a pod. */
async function agentOf(workload: string): Promise<ClientHttp2Session> {
  const { svid } = await join(await connect(), await controlPlane.token(workload), trustDomain);
  return await connect(svid);
}

const csr = (): Uint8Array => createCsr(generateSigningKey('ML-DSA-65'));

function call<Request extends DescMessage>(
  session: ClientHttp2Session,
  method: string,
  schema: Request,
  request: MessageInitShape<Request>,
): Promise<Uint8Array> {
  const path = `/trellis.identity.v1.Identity/${method}`;
  return unaryCall(session, path, toBinary(schema, create(schema, request)), { timeoutMs: 10_000 });
}

const mint = (session: ClientHttp2Session, name: string) =>
  mintWorkloadSvid(session, { namespace, name }, trustDomain);
const refused = (code: number, message: RegExp) => ({ code, message: expect.stringMatching(message) });

describe('joining', () => {
  test('with a token admits an agent for the pod it was made for, once', async () => {
    const token = await controlPlane.token('client');
    const { svid, workload } = await join(await connect(), token, trustDomain);
    expect(workload).toEqual({ namespace, name: 'client' });
    expect(svid.spiffeId).toMatch(/^spiffe:\/\/cluster\.local\/trellis\/agent\/[0-9a-f]{32}$/);
    expect(svidId(svid.leaf).uri).toBe(svid.spiffeId);
    await expect(join(await connect(), token, trustDomain)).rejects.toMatchObject(
      refused(status.unauthenticated, /ERR_JOIN_TOKEN_USED/),
    );
  });

  test.each([
    ['no token', '', 'ERR_JOIN_TOKEN_MALFORMED'],
    ['half a token', 'trellis-join-abc', 'ERR_JOIN_TOKEN_MALFORMED'],
    ['a path for a token', '../../ca/root/key', 'ERR_JOIN_TOKEN_MALFORMED'],
    ['an unknown token', `trellis-join-${'A'.repeat(43)}`, 'ERR_JOIN_TOKEN_UNKNOWN'],
  ])('with %s is refused', async (_, token, code) => {
    await expect(join(await connect(), token, trustDomain)).rejects.toMatchObject(
      refused(status.unauthenticated, new RegExp(code)),
    );
  });

  test('with an expired token is refused', async () => {
    const token = await controlPlane.token('client', 1000);
    controlPlane.clockOffsetMs = 2000;
    onTestFinished(() => {
      controlPlane.clockOffsetMs = 0;
    });
    await expect(join(await connect(), token, trustDomain)).rejects.toMatchObject(
      refused(status.unauthenticated, /ERR_JOIN_TOKEN_EXPIRED/),
    );
  });

  test('with another’s certificate changes nothing: it is the token that counts', async () => {
    const { svid } = await obtainIdentity(controlPlane, 'other');
    const joined = await join(await connect(svid), await controlPlane.token('client'), trustDomain);
    expect(joined.workload.name).toBe('client');
  });
});

describe('without the certificate of an agent', () => {
  const calls: [string, (session: ClientHttp2Session) => Promise<unknown>][] = [
    ['RenewAgent', (session) => call(session, 'RenewAgent', RenewAgentRequestSchema, { csr: csr() })],
    [
      'MintWorkloadSvid',
      (session) =>
        call(session, 'MintWorkloadSvid', MintWorkloadSvidRequestSchema, {
          workload: { namespace, name: 'client' },
          csr: csr(),
        }),
    ],
    ['an ADS stream', (session) => adsStatus(session, `${namespace}/client`)],
  ];
  const impostors: [string, () => Promise<TlsCredentials | undefined>][] = [
    ['none', async () => undefined],
    ['that of a workload', async () => (await obtainIdentity(controlPlane, 'client')).svid],
    [
      'that of an agent from another CA',
      async () => issuedByStranger(strangerRoot(), { spiffeId: agentId('0'.repeat(32)) }),
    ],
    [
      'that of an agent under an ECDSA root',
      async () => issuedByStranger(strangerRoot('ECDSA-P256'), { spiffeId: agentId('0'.repeat(32)) }),
    ],
    [
      'that of the control plane itself',
      async () =>
        issuedByMesh(await controlPlane.ca(), { spiffeId: `spiffe://${trustDomain}/trellis/control-plane` }),
    ],
  ];
  const agentId = (id: string) => `spiffe://${trustDomain}/trellis/agent/${id}`;
  const cases = impostors.flatMap(([who, credentials]) =>
    calls.map(([what, make]) => [who, what, credentials, make] as const),
  );
  test.each(cases)('%s: %s is UNAUTHENTICATED', async (_who, _what, credentials, make) => {
    const session = await connect(await credentials());
    await expect(make(session)).rejects.toMatchObject({ code: status.unauthenticated });
  });

  const stolen = counterFlaws.flatMap((flaw) => calls.map(([what, make]) => [flaw, what, make] as const));
  test.each(stolen)(
    'that of an admitted agent, but its counter-signature is %s: %s is UNAUTHENTICATED',
    async (flaw, _what, make) => {
      const { agent } = await obtainIdentity(controlPlane, 'client');
      const credentials = signedByThief(await controlPlane.ca(), flaw, { spiffeId: agent.spiffeId });
      await expect(make(await connect(credentials))).rejects.toMatchObject(
        refused(status.unauthenticated, /^ERR_COUNTER_SIGNATURE_(MISSING|INVALID): /),
      );
      // The same call is answered to the agent itself.
      await make(await connect(agent));
    },
  );

  test('nor may one whose certificate names an agent that was never admitted', async () => {
    const never = issuedByMesh(await controlPlane.ca(), { spiffeId: agentId('f'.repeat(32)) });
    await expect(mint(await connect(never), 'client')).rejects.toMatchObject({
      code: status.permissionDenied,
    });
  });
});

describe('an agent', () => {
  test('gets the identity of its pod, by what the manifests say of it', async () => {
    const svid = await mint(await agentOf('client'), 'client');
    expect(svidId(svid.leaf).uri).toBe(spiffeId('buyer'));
  });

  test('cannot choose the identity in its request: only the key of it counts', async () => {
    const session = await agentOf('client');
    const key = generateSigningKey('ML-DSA-65');
    const answer = fromBinary(
      MintWorkloadSvidResponseSchema,
      await call(session, 'MintWorkloadSvid', MintWorkloadSvidRequestSchema, {
        workload: { namespace, name: 'client' },
        csr: createCsrFor(key, 'spiffe://cluster.local/ns/shop/sa/admin'),
      }),
    );
    const leaf = parseCertificate(answer.svid?.certificates[0] ?? new Uint8Array());
    expect([svidId(leaf).uri, answer.svid?.spiffeId]).toEqual([spiffeId('buyer'), spiffeId('buyer')]);
    expect(leaf.spki).toEqual(spkiDer(key));
  });

  test.each([
    ['another pod', 'other'],
    ['a pod that does not exist', 'nobody'],
    ['its own pod’s name in another spelling', 'CLIENT'],
    ['its own pod and more', 'client/../other'],
    ['no pod', ''],
  ])('that asks for %s is refused: PERMISSION_DENIED', async (_, name) => {
    await expect(mint(await agentOf('client'), name)).rejects.toMatchObject({
      code: status.permissionDenied,
    });
  });

  test('of a pod that is not in the manifests: FAILED_PRECONDITION, and what to do', async () => {
    await expect(mint(await agentOf('nobody'), 'nobody')).rejects.toMatchObject(
      refused(status.failedPrecondition, /no running pod shop\/nobody in the manifests: add it/),
    );
  });

  test('of a pod that is not meshed: FAILED_PRECONDITION, and what to do', async () => {
    await expect(mint(await agentOf('plain'), 'plain')).rejects.toMatchObject(
      refused(status.failedPrecondition, /not part of the mesh: give it a volume/),
    );
  });

  test('renews its own identity and no other', async () => {
    const { agent } = await obtainIdentity(controlPlane, 'client');
    const renewed = await renewAgent(await connect(agent), trustDomain);
    expect(renewed.spiffeId).toBe(agent.spiffeId);
    expect(renewed.leaf.serial).not.toEqual(agent.leaf.serial);
  });

  test('that was forgotten gets nothing more', async () => {
    const session = await agentOf('client');
    await controlPlane.forgetAgents();
    await expect(mint(session, 'client')).rejects.toMatchObject(
      refused(status.permissionDenied, /not admitted/),
    );
    await expect(renewAgent(session, trustDomain)).rejects.toMatchObject({ code: status.permissionDenied });
  });

  test('whose certificate has ended is no agent any more, on a connection that is open too', async () => {
    const session = await agentOf('client');
    await mint(session, 'client');
    controlPlane.clockOffsetMs = 2 * 3_600_000;
    onTestFinished(() => {
      controlPlane.clockOffsetMs = 0;
    });
    await expect(mint(session, 'client')).rejects.toMatchObject(refused(status.unauthenticated, /expired/));
  });
});

describe('a request for a certificate is refused', () => {
  const tampered = (): Uint8Array => {
    const bytes = Buffer.from(csr());
    // In the middle of the public key.
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    return bytes;
  };
  test.each<[string, () => Uint8Array, RegExp]>([
    ['that was tampered with', tampered, /ERR_CSR_BAD_SIGNATURE/],
    ['for an ECDSA key', () => createCsr(generateSigningKey('ECDSA-P256')), /ERR_SVID_KEY_NOT_ALLOWED/],
    ['that is none', () => Buffer.from('not a request'), /ERR_CSR_PARSE/],
    ['that is empty', () => new Uint8Array(), /ERR_CSR_PARSE/],
    ['with something after it', () => Buffer.concat([csr(), Buffer.from([0])]), /ERR_CSR_PARSE/],
  ])('%s: INVALID_ARGUMENT', async (_, make, reason) => {
    const session = await agentOf('client');
    const workload = { namespace, name: 'client' };
    await expect(
      call(session, 'MintWorkloadSvid', MintWorkloadSvidRequestSchema, { workload, csr: make() }),
    ).rejects.toMatchObject(refused(status.invalidArgument, reason));
    await expect(call(session, 'RenewAgent', RenewAgentRequestSchema, { csr: make() })).rejects.toMatchObject(
      refused(status.invalidArgument, reason),
    );
    // A join that fails for this costs no token.
    const token = await controlPlane.token('client');
    const stranger = await connect();
    await expect(call(stranger, 'Join', JoinRequestSchema, { token, csr: make() })).rejects.toMatchObject(
      refused(status.invalidArgument, reason),
    );
    expect((await join(stranger, token, trustDomain)).workload.name).toBe('client');
  });

  test('in a message that is another one: INVALID_ARGUMENT', async () => {
    const session = await agentOf('client');
    await expect(
      unaryCall(session, '/trellis.identity.v1.Identity/MintWorkloadSvid', Buffer.from([0xff]), {
        timeoutMs: 10_000,
      }),
    ).rejects.toMatchObject({ code: status.invalidArgument });
  });
});

describe('an ADS stream', () => {
  const name = `${namespace}/client`;
  test.each<[string, string | undefined, number]>([
    ['without the name of a workload', undefined, status.invalidArgument],
    ['with a name that is none', 'client', status.invalidArgument],
    ['with a name of three parts', 'shop/client/x', status.invalidArgument],
    ['with two names', `${name}, ${namespace}/other`, status.invalidArgument],
    ['for the workload of another agent', `${namespace}/other`, status.permissionDenied],
    ['for a workload that does not exist', `${namespace}/nobody`, status.permissionDenied],
  ])('%s is refused', async (_, workload, code) => {
    const session = await agentOf('client');
    await expect(adsStatus(session, workload)).rejects.toMatchObject({ code });
  });

  test('for the agent’s own workload is served', async () => {
    const session = await agentOf('client');
    const stream = openAds(session, name);
    const [headers] = await once(stream, 'response');
    expect(headers['grpc-status']).toBeUndefined();
    await until(
      'the stream to be counted',
      async () => (await controlPlane.metric('trellis_xds_streams')) === 1,
    );
    stream.destroy();
    await until(
      'its end to be counted',
      async () => (await controlPlane.metric('trellis_xds_streams')) === 0,
    );
  });
});

test('an ADS stream ends with the certificate of its agent', async () => {
  const lifetimeMs = 10_000;
  const brief = await TestControlPlane.start({
    svidLifetimeMs: lifetimeMs,
    manifests: { 'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1' }) },
  });
  const { agent } = await obtainIdentity(brief, 'client');
  // To the control plane, which looks at its own clock, almost all of its life is over.
  brief.clockOffsetMs = agent.leaf.notAfter.getTime() - Date.now() - 500;
  const session = await connectControlPlane({
    address: brief.address,
    trustDomain,
    anchors: await brief.anchors(),
    credentials: agent,
    now: () => new Date(),
  });
  onTestFinished(() => session.destroy());
  const stream = openAds(session, `${namespace}/client`);
  const trailers = once(stream, 'trailers');
  stream.resume();
  expect((await once(stream, 'response'))[0][':status']).toBe(200);
  expect((await trailers)[0]).toMatchObject({ 'grpc-status': String(status.unauthenticated) });
});

test('what is refused is logged and counted with its reason, and no token or key is ever logged', async () => {
  const token = await controlPlane.token('client');
  await join(await connect(), token, trustDomain);
  await expect(join(await connect(), token, trustDomain)).rejects.toThrow();
  await expect(mint(await agentOf('client'), 'other')).rejects.toThrow();
  const log = controlPlane.log.text.join('');
  expect(log).toContain('Join: ERR_JOIN_TOKEN_USED');
  expect(log).toMatch(/MintWorkloadSvid: agent [0-9a-f]{32} does not hold the workload shop\/other/);
  expect(log).not.toMatch(tokenForm);
  expect(log).not.toMatch(/PRIVATE KEY|BEGIN/);
  expect(await controlPlane.metric('trellis_svid_issuance_total', { result: 'denied' })).toBeGreaterThan(1);
  expect(await controlPlane.metric('trellis_svid_issuance_total', { result: 'issued' })).toBeGreaterThan(1);
});

test('the trust anchor file beside the state is the bundle that comes with every identity', async () => {
  const pem = await readFile(`${controlPlane.stateDirectory}/trust-anchor.pem`, 'utf8');
  const { agent } = await obtainIdentity(controlPlane, 'client');
  expect(trustBundleFromPem(pem, trustDomain).anchors.map(({ der }) => der)).toEqual(
    agent.anchors.map(({ der }) => der),
  );
});

const listeners = toBinary(
  DeltaDiscoveryRequestSchema,
  create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrls.listener }),
);

function workloadHeaders(workload: string | undefined): Record<string, string> {
  return workload === undefined ? {} : { 'x-trellis-workload': workload };
}

/** Asks for all listeners; rejects with the status of a stream that is refused. */
async function adsStatus(session: ClientHttp2Session, workload: string | undefined): Promise<void> {
  const headers = workloadHeaders(workload);
  const { signal } = new AbortController();
  for await (const _ of serverStream(session, adsPath, listeners, { signal, headers })) return;
}

/** The same, on a stream that stays open. */
function openAds(session: ClientHttp2Session, workload: string): ClientHttp2Stream {
  const stream = session.request({
    ...workloadHeaders(workload),
    ':method': 'POST',
    ':path': adsPath,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.write(frame(listeners));
  return stream;
}

/** A request that also says who its sender would like to be: in the subject and as a name for the certificate. */
function createCsrFor(key: SigningKey, uri: string): Buffer {
  const set = (content: Uint8Array) => tlv(0x31, content);
  const extensionRequest = sequence(
    oid('1.2.840.113549.1.9.14'),
    set(sequence(subjectAltName([uriName, uri]))),
  );
  const info = sequence(
    smallInteger(0),
    encodeName({ commonName: uri }),
    spkiDer(key),
    tlv(0xa0, extensionRequest),
  );
  return sequence(info, encodeSignatureAlgorithm(key.algorithm), bitString(signBytes(key, info)));
}
