import { expect, test } from 'vitest';
import { claimNetworks, exampleNetworks, moveAddresses } from '../../../../src/cli/demo/networks.ts';

const other = { pods: '127.80.0', services: '127.80.1' };

test('moves the addresses of both networks and nothing else', () => {
  const text =
    'podIP: 127.77.0.10\nclusterIP: 127.77.1.10\naddresses: [127.77.0.99, 127.77.10.1, 10.127.77.0, 1127.77.0.1]\n';
  expect(moveAddresses(text, exampleNetworks, other)).toBe(
    'podIP: 127.80.0.10\nclusterIP: 127.80.1.10\naddresses: [127.80.0.99, 127.77.10.1, 10.127.77.0, 1127.77.0.1]\n',
  );
});

test('moving there and back changes nothing', () => {
  const text = 'a: 127.77.0.1\nb: 127.77.1.1\n';
  expect(moveAddresses(moveAddresses(text, exampleNetworks, other), other, exampleNetworks)).toBe(text);
});

/** A machine on which some addresses are taken. */
function machine(taken: readonly string[], code = 'EADDRINUSE') {
  const open = new Set<string>();
  const listen = async (host: string, port: number) => {
    const place = `${host}:${port}`;
    if (taken.some((prefix) => place.startsWith(prefix)) || open.has(place)) {
      throw Object.assign(new Error(`listen ${code}`), { code });
    }
    open.add(place);
    return {
      close: async () => {
        open.delete(place);
      },
    };
  };
  return { listen, open };
}

test('takes the preferred networks, and holds one address of them', async () => {
  const { listen, open } = machine([]);
  const claim = await claimNetworks(exampleNetworks, [[10, 15008]], listen);
  expect(claim.networks).toEqual(exampleNetworks);
  expect([...open]).toEqual(['127.77.0.1:15010']);
  await claim.release();
  expect(open.size).toBe(0);
});

test('a second demo gets other networks', async () => {
  const { listen } = machine([]);
  await claimNetworks(exampleNetworks, [[10, 15008]], listen);
  const second = await claimNetworks(exampleNetworks, [[10, 15008]], listen);
  expect(second.networks.pods).not.toBe(exampleNetworks.pods);
});

test('a port in use on one address moves the whole demo, and holds nothing of what was tried', async () => {
  const { listen, open } = machine(['127.77.0.10:8000']);
  const claim = await claimNetworks(
    exampleNetworks,
    [
      [9, 15008],
      [10, 8000],
    ],
    listen,
  );
  expect(claim.networks.pods).toBe('127.78.0');
  expect([...open]).toEqual(['127.78.0.1:15010']);
});

test('says so when every network is taken', async () => {
  const { listen } = machine(['127.']);
  await expect(claimNetworks(exampleNetworks, [], listen)).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    message: expect.stringContaining('in use'),
  });
});

test('says what to do where only 127.0.0.1 exists', async () => {
  const { listen } = machine(['127.'], 'EADDRNOTAVAIL');
  await expect(claimNetworks(exampleNetworks, [], listen)).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    hint: expect.stringContaining('ifconfig lo0 alias'),
  });
});

test('an error of another kind is not taken for a taken address', async () => {
  const { listen } = machine(['127.'], 'EMFILE');
  await expect(claimNetworks(exampleNetworks, [], listen)).rejects.toMatchObject({ code: 'EMFILE' });
});
