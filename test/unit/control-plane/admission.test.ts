// What an admission is worth: one agent with one key, for one pod; and what there is without one.

import { type ClientHttp2Session, constants } from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { connectControlPlane } from '../../../src/agent/connect.ts';
import { type HeldSvid, join, mintWorkloadSvid } from '../../../src/agent/identity-client.ts';
import { generateSigningKey } from '../../../src/crypto/keys.ts';
import { createCsr } from '../../../src/crypto/x509/csr.ts';
import { JoinRequestSchema } from '../../../src/gen/proto/trellis/identity/v1/identity_pb.ts';
import { unaryCall } from '../../../src/grpc/client.ts';
import { frameHeader } from '../../../src/grpc/framing.ts';
import { status } from '../../../src/grpc/status.ts';
import { onEnd } from '../../support/cleanup.ts';
import { TestControlPlane } from '../../support/control-plane.ts';
import { type Manifest, namespace, trustDomain, workloadManifests } from '../../support/manifests.ts';
import { until } from '../../support/until.ts';
import { requestHeaders } from '../grpc/support.ts';

const service = '/trellis.identity.v1.Identity';
const workload = { namespace, name: 'client' };

/** The manifests of one pod with this uid. */
function podManifests(uid: string, serviceAccount = 'client'): Manifest[] {
  return workloadManifests({ name: 'client', address: '10.0.0.1', serviceAccount }).map((manifest) =>
    manifest['kind'] === 'Pod'
      ? { ...manifest, metadata: { ...(manifest['metadata'] as object), uid } }
      : manifest,
  );
}

const withPod = { manifests: { 'client.yaml': podManifests('u-1') } };

async function connect(controlPlane: TestControlPlane, credentials?: HeldSvid): Promise<ClientHttp2Session> {
  const session = await connectControlPlane({
    address: controlPlane.address,
    trustDomain,
    anchors: await controlPlane.anchors(),
    credentials,
    now: controlPlane.now,
  });
  onEnd(() => session.destroy());
  return session;
}

/** Asks until the control plane answers in this way. */
const mints = (session: ClientHttp2Session, code: number) =>
  until(`status ${code}`, async () => {
    const outcome = await mintWorkloadSvid(session, workload, trustDomain).then(
      () => ({ code: status.ok, message: '' }),
      (error: { code: number; message: string }) => error,
    );
    return outcome.code === code ? outcome : undefined;
  });

describe('an agent', () => {
  test('gets no identity that is in quarantine', async () => {
    const controlPlane = await TestControlPlane.start(withPod);
    const { svid } = await join(await connect(controlPlane), await controlPlane.token('client'), trustDomain);
    const session = await connect(controlPlane, svid);
    await mints(session, status.ok);
    await controlPlane.write('quarantine.yaml', [
      {
        apiVersion: 'security.quantum.io/v1',
        kind: 'QuantumSecurityPolicy',
        metadata: { name: 'incident', namespace: 'trellis-system' },
        spec: { quarantine: [`spiffe://${trustDomain}/ns/${namespace}/sa/client`] },
      },
    ]);
    const { message } = await mints(session, status.permissionDenied);
    expect(message).toContain('in quarantine by trellis-system/incident');
  });

  test('acts for the pod that ran when it joined, not for another of the same name', async () => {
    const controlPlane = await TestControlPlane.start(withPod);
    const { svid } = await join(await connect(controlPlane), await controlPlane.token('client'), trustDomain);
    const changes = () => controlPlane.log.lines().filter(({ msg }) => msg === 'the mesh has changed').length;
    const before = changes();
    await controlPlane.write('client.yaml', podManifests('u-2', 'admin'));
    await until('the other pod', () => changes() > before);
    const { message } = await mints(await connect(controlPlane, svid), status.permissionDenied);
    expect(message).toContain('trellis token create');
    // Also not after a restart.
    await controlPlane.stop();
    await controlPlane.start();
    await mints(await connect(controlPlane, svid), status.permissionDenied);
    await controlPlane.write('client.yaml', podManifests('u-1'));
    await mints(await connect(controlPlane, svid), status.ok);
  });

  test('that joined before its pod was there acts for the first one it got an SVID for', async () => {
    const controlPlane = await TestControlPlane.start({ manifests: {} });
    const { svid } = await join(await connect(controlPlane), await controlPlane.token('client'), trustDomain);
    const session = await connect(controlPlane, svid);
    await mints(session, status.failedPrecondition);
    await controlPlane.write('client.yaml', podManifests('u-1'));
    await mints(session, status.ok);
    await controlPlane.write('client.yaml', podManifests('u-2'));
    await mints(session, status.permissionDenied);
  });
});

describe('a join token', () => {
  test('is not used up by a request that cannot be granted', async () => {
    const controlPlane = await TestControlPlane.start(withPod);
    const token = await controlPlane.token('client');
    const session = await connect(controlPlane);
    const joinWith = (csr: Uint8Array) => {
      const request = toBinary(JoinRequestSchema, create(JoinRequestSchema, { token, csr }));
      return unaryCall(session, `${service}/Join`, request, { timeoutMs: 10_000 });
    };
    const tampered = createCsr(generateSigningKey('ML-DSA-65'));
    tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1;
    for (const csr of [Buffer.from('nonsense'), tampered, createCsr(generateSigningKey('ECDSA-P256'))]) {
      await expect(joinWith(csr)).rejects.toMatchObject({ code: status.invalidArgument });
    }
    expect((await join(session, token, trustDomain)).workload).toEqual(workload);
  });

  test('can be redeemed again with the same key, and with no other', async () => {
    const controlPlane = await TestControlPlane.start(withPod);
    const token = await controlPlane.token('client');
    const session = await connect(controlPlane);
    const key = generateSigningKey('ML-DSA-65');
    const first = await join(session, token, trustDomain, key);
    const second = await join(session, token, trustDomain, key);
    expect(second.svid.spiffeId).toBe(first.svid.spiffeId);
    await expect(join(session, token, trustDomain)).rejects.toMatchObject({ code: status.unauthenticated });
    await mints(await connect(controlPlane, second.svid), status.ok);
  });
});

describe('a caller without a certificate', () => {
  /** The status of a call that announces a message of this size and sends nothing of it. */
  const announce = (session: ClientHttp2Session, method: string, size: number) =>
    new Promise<string>((resolve, reject) => {
      const stream = session.request(requestHeaders(`${service}/${method}`), { endStream: false });
      stream.on('error', reject);
      stream.once('response', (headers) => {
        resolve(String(headers['grpc-status']));
        stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.write(frameHeader(size));
    });

  test('gets no room for what no join request needs', async () => {
    const session = await connect(await TestControlPlane.start());
    expect(await announce(session, 'Join', 32 * 1024 + 1)).toBe(String(status.resourceExhausted));
  });

  test.each(['RenewAgent', 'MintWorkloadSvid', 'MintWorkloadToken'])(
    'is turned away from %s at once',
    async (method) => {
      const session = await connect(await TestControlPlane.start());
      expect(await announce(session, method, 10_000)).toBe(String(status.unauthenticated));
    },
  );

  test('has a few calls at a time, unlike an agent', async () => {
    const controlPlane = await TestControlPlane.start(withPod);
    const session = await connect(controlPlane);
    const limit = (of: ClientHttp2Session) => of.remoteSettings.maxConcurrentStreams;
    await until('the limit', () => limit(session) === 8);
    const { svid } = await join(session, await controlPlane.token('client'), trustDomain);
    const known = await connect(controlPlane, svid);
    await mints(known, status.ok);
    expect(limit(known)).toBeGreaterThan(1000);
  });
});
