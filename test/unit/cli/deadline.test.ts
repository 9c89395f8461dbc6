import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addDeadlineOption, startDeadline } from '../../../src/cli/deadline.ts';

const never = () => new Promise<never>(() => {});

test('what takes longer fails, is told so, and is not waited for; so does what is begun later', async () => {
  const within = startDeadline({ deadline: 1 });
  let told: AbortSignal | undefined;
  const late = within((signal) => {
    told = signal;
    return never();
  });
  const fault = { code: 'ERR_DEADLINE', message: expect.stringContaining('1 ms (--deadline)') };
  await expect(late).rejects.toMatchObject(fault);
  expect(told?.aborted).toBe(true);
  await expect(within(async () => 'done')).rejects.toMatchObject(fault);
});

test('what is done in time passes, and without the option there is no end', async () => {
  expect(await startDeadline({ deadline: 60_000 })(async () => 'done')).toBe('done');
  expect(await startDeadline({})(async ({ aborted }) => aborted)).toBe(false);
});

test('is given as a duration', () => {
  const command = addDeadlineOption(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  expect(command.parse([], { from: 'user' }).opts()).toEqual({});
  expect(command.parse(['--deadline', '1m30s'], { from: 'user' }).opts()).toEqual({ deadline: 90_000 });
  expect(() => command.parse(['--deadline', 'soon'], { from: 'user' })).toThrow(/duration/);
});
