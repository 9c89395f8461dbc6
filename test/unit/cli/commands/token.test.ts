import { chmod, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { redeemJoinToken } from '../../../../src/identity/join-tokens.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { expectFailure, trellis } from './support.ts';

/** What the token is bound to when it is redeemed. */
const publicKey = spkiDer(generateSigningKey('ML-DSA-65'));

const create = (...argv: readonly string[]) => trellis('token', 'create', ...argv);

test('prints one token and nothing else, and keeps only what does not give it away', async () => {
  const state = await temporaryDirectory();
  const outcome = await create('--state', state, '--workload', 'shop/cart');
  expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
  expect(outcome.stdout).toMatch(/^trellis-join-[A-Za-z0-9_-]{43}\n$/);
  const token = outcome.stdout.trim();
  const directory = join(state, 'join-tokens');
  for (const file of await readdir(directory)) {
    expect(file + (await readFile(join(directory, file), 'utf8'))).not.toContain(token.slice(13));
    expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
  }
  const { workload } = await redeemJoinToken({
    dir: state,
    token,
    now: new Date(),
    publicKey,
  });
  expect(workload).toBe('shop/cart');
});

test('--ttl says how long it can be used', async () => {
  const state = await temporaryDirectory();
  const { stdout } = await create('--state', state, '--workload', 'shop/cart', '--ttl', '30s');
  const redeem = redeemJoinToken({
    dir: state,
    token: stdout.trim(),
    now: new Date(Date.now() + 31_000),
    publicKey,
  });
  await expect(redeem).rejects.toMatchObject({ code: 'ERR_JOIN_TOKEN_EXPIRED' });
});

describe('is refused', () => {
  test('without what it is for', async () => {
    expectFailure(await create(), 2, /required option '--state <directory>' not specified/, /--help/);
    expectFailure(await create('--state', '/tmp'), 2, /required option '--workload <namespace\/pod>'/);
  });

  test.each(['cart', 'shop/', '/cart', 'shop/Cart', 'shop/cart/x', 'shop/../x', 'SHOP/cart', 'shop/cart\n'])(
    'for the workload %j',
    async (workload) => {
      const outcome = await create('--state', await temporaryDirectory(), '--workload', workload);
      expectFailure(outcome, 2, /give NAMESPACE\/POD, as in trading\/gateway/);
    },
  );

  test.each([
    ['5', /give a duration such as 30s/],
    ['0s', /give a duration such as 30s/],
    ['-1h', /give a duration such as 30s|unknown option/],
    ['1d', /give a duration such as 30s/],
    ['169h', /a join token lives up to 604800 s/],
  ])('for the duration %s', async (ttl, message) => {
    const state = await temporaryDirectory();
    expectFailure(await create('--state', state, '--workload', 'shop/cart', '--ttl', ttl), 2, message);
  });

  test('where there is no state directory', async () => {
    const state = join(await temporaryDirectory(), 'missing');
    const outcome = await create('--state', state, '--workload', 'shop/cart');
    expectFailure(
      outcome,
      78,
      /there is no directory .*missing/,
      /give the --state directory of the control plane/,
    );
    await expect(stat(state)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('in a directory that others can enter', async () => {
    const state = await temporaryDirectory();
    await chmod(state, 0o755);
    const outcome = await create('--state', state, '--workload', 'shop/cart');
    expectFailure(outcome, 77, /open to others \(mode 755\)/, /run chmod 700/);
  });

  test('with an option that does not exist', async () => {
    expectFailure(
      await create('--state', '/tmp', '--workload', 'a/b', '--forever'),
      2,
      /unknown option '--forever'/,
    );
  });
});
