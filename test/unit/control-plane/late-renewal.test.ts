// An agent that could not renew its SVID in time, because the control plane was away for longer than SVIDs live.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { runAgent } from '../../../src/agent/agent.ts';
import { connectControlPlane } from '../../../src/agent/connect.ts';
import { type HeldSvid, mintWorkloadSvid, renewAgent } from '../../../src/agent/identity-client.ts';
import { status } from '../../../src/grpc/status.ts';
import { agentRenewalGraceMs, minSvidLifetimeMs } from '../../../src/identity/lifetimes.ts';
import { onEnd } from '../../support/cleanup.ts';
import { TestControlPlane, testLog } from '../../support/control-plane.ts';
import { namespace, trustDomain, workloadManifests } from '../../support/manifests.ts';
import { obtainIdentity } from '../../support/mesh-client.ts';
import { until } from '../../support/until.ts';

const manifests = { 'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1' }) };
const workload = { namespace, name: 'client' };
const hour = 3_600_000;

async function connect(controlPlane: TestControlPlane, credentials: HeldSvid) {
  const { address } = controlPlane;
  const anchors = await controlPlane.anchors();
  const session = await connectControlPlane({
    address,
    trustDomain,
    anchors,
    credentials,
    now: () => new Date(),
  });
  onEnd(() => session.destroy());
  return session;
}

const expired = (svid: HeldSvid) =>
  until('the SVID to end', () => Date.now() > svid.leaf.notAfter.getTime() + 1000);

describe('an agent whose SVID has ended', () => {
  test('may renew it, and nothing else', async () => {
    const controlPlane = await TestControlPlane.start({ manifests, svidLifetimeMs: minSvidLifetimeMs });
    const { agent } = await obtainIdentity(controlPlane, 'client');
    await expired(agent);
    const session = await connect(controlPlane, agent);
    await expect(mintWorkloadSvid(session, workload, trustDomain)).rejects.toMatchObject({
      code: status.unauthenticated,
    });
    const renewed = await renewAgent(session, trustDomain);
    expect(renewed.spiffeId).toBe(agent.spiffeId);
    await expect(mintWorkloadSvid(session, workload, trustDomain)).rejects.toMatchObject({
      code: status.unauthenticated,
    });
    const minted = await mintWorkloadSvid(await connect(controlPlane, renewed), workload, trustDomain);
    expect(minted.spiffeId).toBe(`spiffe://${trustDomain}/ns/${namespace}/sa/client`);
  });

  test('may not when it was forgotten', async () => {
    const controlPlane = await TestControlPlane.start({ manifests });
    const { agent } = await obtainIdentity(controlPlane, 'client');
    const session = await connect(controlPlane, agent);
    controlPlane.clockOffsetMs = 2 * hour;
    await controlPlane.forgetAgents();
    await expect(renewAgent(session, trustDomain)).rejects.toMatchObject({ code: status.permissionDenied });
  });

  test('may for a week, by the clock of the control plane', async () => {
    const controlPlane = await TestControlPlane.start({ manifests });
    const { agent } = await obtainIdentity(controlPlane, 'client');
    const session = await connect(controlPlane, agent);
    controlPlane.clockOffsetMs = agentRenewalGraceMs;
    await expect(mintWorkloadSvid(session, workload, trustDomain)).rejects.toMatchObject({
      code: status.unauthenticated,
    });
    expect((await renewAgent(session, trustDomain)).spiffeId).toBe(agent.spiffeId);
    controlPlane.clockOffsetMs = agentRenewalGraceMs + 2 * hour;
    await expect(renewAgent(session, trustDomain)).rejects.toMatchObject({ code: status.unauthenticated });
    // Nor on a new connection, where nothing is known yet of the certificate.
    await expect(renewAgent(await connect(controlPlane, agent), trustDomain)).rejects.toMatchObject({
      code: status.unauthenticated,
    });
  });

  test('recovers by itself once the control plane is back', async () => {
    const controlPlane = await TestControlPlane.start({ manifests, svidLifetimeMs: minSvidLifetimeMs });
    const held: HeldSvid[] = [];
    const stop = new AbortController();
    const ended = runAgent({
      controlPlane: controlPlane.address,
      trustDomain,
      anchors: await controlPlane.anchors(),
      joinToken: await controlPlane.token('client'),
      socket: `${controlPlane.directory}/agent.sock`,
      log: testLog().logger,
      report: {
        connected() {},
        disconnected() {},
        svid: (svid) => held.push(svid),
        renewalFailed() {},
        authorization() {},
        decision() {},
      },
      now: () => new Date(),
      random: Math.random,
      signal: stop.signal,
    });
    ended.catch(() => {});
    onEnd(() => {
      stop.abort();
      return ended;
    });
    const first = await until('the first SVID', () => held[0]);
    await controlPlane.stop();
    await expired(held.at(-1) ?? first);
    // The agent's own was issued before the workload's, but may have been renewed since.
    await sleep(minSvidLifetimeMs / 2);
    const before = held.length;
    await controlPlane.start();
    const fresh = await until('an SVID again', () => held[before]);
    expect(fresh.leaf.notAfter.getTime()).toBeGreaterThan(Date.now());
  });
});
