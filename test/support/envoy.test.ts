import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startEnvoy, validateEnvoy } from './envoy.ts';
import { freePort, loopbackAddress } from './ports.ts';

const bootstrap = {
  static_resources: {
    clusters: [{ name: 'nowhere', type: 'STATIC', load_assignment: { cluster_name: 'nowhere' } }],
  },
};

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('startEnvoy', () => {
  test('gives a real Envoy that can be asked about itself', async () => {
    const envoy = await startEnvoy({ name: 'alpha', bootstrap });
    await envoy.waitReady();
    expect(await envoy.adminGet('/ready')).toEqual({ status: 200, body: 'LIVE\n' });
    expect(await envoy.stats('server.live')).toEqual({ 'server.live': 1 });
    expect(await envoy.stats('serverXlive')).toEqual({});
    expect(JSON.stringify(await envoy.configDump())).toContain('"nowhere"');
    expect((await envoy.adminPost('/healthcheck/fail')).status).toBe(200);
    expect((await envoy.adminGet('/server_info')).body).toContain('"alpha"');
    expect(envoy.logs()).toContain('starting main dispatch loop');
  });

  test('takes YAML, an admin address of one’s own, and arguments', async () => {
    const [host, port] = [loopbackAddress(), await freePort()];
    const admin = `admin: {address: {socket_address: {address: ${host}, port_value: ${port}}}}`;
    const envoy = await startEnvoy({ name: 'beta', bootstrap: admin, args: ['--drain-time-s', '7'] });
    await envoy.waitReady();
    expect((await fetch(`http://${host}:${port}/ready`)).status).toBe(200);
    expect((await envoy.adminGet('/server_info')).body).toContain('"drain_time": "7s"');
  });

  test('several run at once', async () => {
    const envoys = await Promise.all(['a', 'b', 'c'].map((name) => startEnvoy({ name, bootstrap })));
    await Promise.all(envoys.map((envoy) => envoy.waitReady()));
    expect(new Set(envoys.map(({ pid }) => pid)).size).toBe(3);
  });

  test('one that refuses its configuration says why', async () => {
    const envoy = await startEnvoy({ name: 'gamma', bootstrap: { static_resources: { listenerz: [] } } });
    await expect(envoy.waitReady()).rejects.toThrow(/gamma ended with code 1:.*listenerz/s);
  });

  test('stop ends it and removes its files; a second stop does nothing', async () => {
    const envoy = await startEnvoy({ name: 'delta', bootstrap });
    await envoy.waitReady();
    await envoy.stop();
    expect(isRunning(envoy.pid)).toBe(false);
    await expect(access(join(envoy.directory, 'bootstrap.json'))).rejects.toThrow();
    await envoy.stop();
  });

  const left: number[] = [];
  test('one that its test does not stop …', async () => {
    const envoy = await startEnvoy({ name: 'epsilon', bootstrap });
    left.push(envoy.pid);
    expect(isRunning(envoy.pid)).toBe(true);
  });
  test('… is gone when the next one runs', () => {
    expect(left.map(isRunning)).toEqual([false]);
  });
});

describe('validateEnvoy', () => {
  test('accepts what Envoy accepts', async () => {
    expect(await validateEnvoy(bootstrap)).toMatchObject({ ok: true });
  });

  test('passes on what Envoy has against it', async () => {
    const { ok, stderr } = await validateEnvoy('static_resources: {clusters: [{name: x, type: NONSENSE}]}');
    expect(ok).toBe(false);
    expect(stderr).toContain('NONSENSE');
  });
});

test('every loopback address is handed out once', () => {
  const addresses = Array.from({ length: 2000 }, loopbackAddress);
  expect(new Set(addresses).size).toBe(2000);
  for (const address of addresses) expect(address).toMatch(/^127\.[1-9]\d*\.\d+\.[1-9]\d*$/);
});
