// A whole agent against a whole control plane, without Envoy.

import { lstat } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runAgent } from '../../../src/agent/agent.ts';
import type { HeldSvid } from '../../../src/agent/identity-client.ts';
import { fetchToken } from '../../../src/agent/token-client.ts';
import { exportPkcs8 } from '../../../src/crypto/keys.ts';
import { unaryCall } from '../../../src/grpc/client.ts';
import { status } from '../../../src/grpc/status.ts';
import { adsPath, checkPath, sdsPath } from '../../../src/xds/agreed-names.ts';
import { onEnd } from '../../support/cleanup.ts';
import { TestControlPlane, type TestLog, temporaryDirectory, testLog } from '../../support/control-plane.ts';
import { strangerRoot } from '../../support/impostors.ts';
import { spiffeId, trustDomain, workloadManifests } from '../../support/manifests.ts';
import { until } from '../../support/until.ts';

const manifests = { 'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1' }) };

interface Running {
  readonly ended: Promise<void>;
  readonly stop: () => void;
  readonly socket: string;
  readonly tokenSocket: string;
  readonly log: TestLog;
  readonly svids: HeldSvid[];
  /** What it reported, in order. */
  readonly events: string[];
}

async function start(
  controlPlane: TestControlPlane,
  joinToken: string,
  anchors = controlPlane.anchors(),
): Promise<Running> {
  const abort = new AbortController();
  const directory = await temporaryDirectory();
  const socket = join(directory, 'agent.sock');
  const tokenSocket = join(directory, 'tokens.sock');
  const log = testLog();
  const svids: HeldSvid[] = [];
  const events: string[] = [];
  const ended = runAgent({
    controlPlane: controlPlane.address,
    trustDomain,
    anchors: await anchors,
    joinToken,
    socket,
    tokenSocket,
    log: log.logger,
    report: {
      connected: () => events.push('connected'),
      disconnected: (reason) => events.push(`disconnected: ${reason}`),
      svid: (svid) => svids.push(svid),
      renewalFailed: () => events.push('renewal failed'),
      authorization() {},
      decision() {},
    },
    now: () => new Date(),
    random: Math.random,
    signal: abort.signal,
  });
  ended.catch(() => {});
  const stop = (): void => abort.abort();
  onEnd(async () => {
    stop();
    await ended.catch(() => {});
  });
  return { ended, stop, socket, tokenSocket, log, svids, events };
}

test('its second socket gives out tokens and nothing else', async () => {
  const controlPlane = await TestControlPlane.start({ manifests });
  const agent = await start(controlPlane, await controlPlane.token('client'));
  await until('the SVID', () => agent.svids[0]);
  const { token } = await fetchToken(agent.tokenSocket, { type: 'ML-DSA', audience: 'desk' });
  expect(token.split('.')).toHaveLength(3);
  expect((await lstat(agent.tokenSocket)).mode & 0o777).toBe(0o600);
  const session = connectHttp2('http://agent', { createConnection: () => connect(agent.tokenSocket) });
  onEnd(() => session.destroy());
  for (const path of [sdsPath, adsPath, checkPath]) {
    await expect(unaryCall(session, path, new Uint8Array(), { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: status.unimplemented,
    });
  }
});

test('it joins, connects, and holds the identity of its workload', async () => {
  const controlPlane = await TestControlPlane.start({ manifests });
  const agent = await start(controlPlane, await controlPlane.token('client'));
  const svid = await until('the SVID', () => agent.svids[0]);
  expect(svid.spiffeId).toBe(spiffeId('client'));
  expect(agent.events).toEqual(['connected']);
  expect((await lstat(agent.socket)).mode & 0o777).toBe(0o600);
  agent.stop();
  await agent.ended;
  await expect(lstat(agent.socket)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('it waits for a control plane that is not there yet, with its socket open', async () => {
  const controlPlane = await TestControlPlane.start({ manifests });
  const token = await controlPlane.token('client');
  const anchors = await controlPlane.anchors();
  await controlPlane.stop();
  const agent = await start(controlPlane, token, Promise.resolve(anchors));
  await until('a failure', () => agent.events[0]?.includes('ECONNREFUSED'));
  expect((await lstat(agent.socket)).isSocket()).toBe(true);
  await controlPlane.start();
  await until('the SVID', () => agent.svids[0]);
});

test('it comes back by itself when the control plane was away', async () => {
  const controlPlane = await TestControlPlane.start({ manifests });
  const agent = await start(controlPlane, await controlPlane.token('client'));
  await until('the SVID', () => agent.svids[0]);
  await controlPlane.stop();
  await until('the loss', () => agent.events.some((event) => event.startsWith('disconnected')));
  await controlPlane.start();
  await until('the connection', () => agent.events.filter((event) => event === 'connected').length === 2);
  expect(agent.events).not.toContain('renewal failed');
});

describe('it ends, and says what to do,', () => {
  test.each([
    ['unknown', `trellis-join-${'A'.repeat(43)}`, 'ERR_JOIN_TOKEN_UNKNOWN'],
    ['cut off', 'trellis-join-abc', 'ERR_JOIN_TOKEN_MALFORMED'],
  ])('when its token is %s', async (_, token, code) => {
    const controlPlane = await TestControlPlane.start({ manifests });
    const agent = await start(controlPlane, token);
    await expect(agent.ended).rejects.toMatchObject({
      code: 'ERR_AGENT_JOIN_REFUSED',
      message: expect.stringMatching(
        new RegExp(`refused the join token: ${code}.*Create a new one with: trellis token create`, 's'),
      ),
    });
    await expect(agent.ended).rejects.not.toMatchObject({ message: expect.stringContaining(token) });
    await expect(lstat(agent.socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('when the token was used by another agent', async () => {
    const controlPlane = await TestControlPlane.start({ manifests });
    const token = await controlPlane.token('client');
    const first = await start(controlPlane, token);
    await until('the SVID', () => first.svids[0]);
    await expect((await start(controlPlane, token)).ended).rejects.toMatchObject({
      code: 'ERR_AGENT_JOIN_REFUSED',
      message: expect.stringContaining('ERR_JOIN_TOKEN_USED'),
    });
  });

  test('when the control plane is another one, and the token is not given to it', async () => {
    const controlPlane = await TestControlPlane.start({ manifests });
    const token = await controlPlane.token('client');
    const agent = await start(controlPlane, token, Promise.resolve([strangerRoot().certificate]));
    await expect(agent.ended).rejects.toMatchObject({
      code: 'ERR_AGENT_CONTROL_PLANE_IDENTITY',
      message: expect.stringContaining('trust anchor file'),
    });
    // It is still good.
    const rightly = await start(controlPlane, token);
    await until('the SVID', () => rightly.svids[0]);
  });
});

test('a stop while it waits to join ends it at once', async () => {
  const controlPlane = await TestControlPlane.start({ manifests });
  const token = await controlPlane.token('client');
  const anchors = await controlPlane.anchors();
  await controlPlane.stop();
  const agent = await start(controlPlane, token, Promise.resolve(anchors));
  await until('a failure', () => agent.events.length > 0);
  agent.stop();
  await agent.ended;
  await expect(lstat(agent.socket)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('neither its token nor a key is in any line of its log or of the control plane’s', async () => {
  const controlPlane = await TestControlPlane.start({ manifests, svidLifetimeMs: 10_000 });
  const token = await controlPlane.token('client');
  const agent = await start(controlPlane, token);
  await until('the SVID', () => agent.svids[0]);
  await controlPlane.stop();
  await until('the loss', () => agent.events.some((event) => event.startsWith('disconnected')));
  await controlPlane.start();
  await until('a renewal', () => agent.svids[1]);
  await expect((await start(controlPlane, token)).ended).rejects.toThrow();
  const log = [...agent.log.text, ...controlPlane.log.text].join('');
  expect(log).toContain('a new SVID for the workload');
  expect(log).not.toContain(token);
  expect(log).not.toContain(token.slice('trellis-join-'.length));
  expect(log).not.toContain('PRIVATE KEY');
  for (const { key } of agent.svids) {
    const seed = exportPkcs8(key).subarray(-32);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(log).not.toContain(seed.toString(encoding));
  }
});
