import { expect, test } from 'vitest';
import { PushDelay } from '../../../src/control-plane/push-delay.ts';
import { emptyLayer } from '../../../src/xds/layer.ts';

const source = {
  current: () => ({ shared: emptyLayer, own: emptyLayer }),
  onChange: () => () => {},
};

test('counts from the change that brought a snapshot', () => {
  let now = 1000;
  const delay = new PushDelay(() => now);
  const watched = delay.watch(source);
  const onConnect = watched.current();
  let pushed = onConnect;
  delay.during(() => {
    pushed = watched.current();
  });
  now = 1250;
  expect(delay.secondsSince(pushed)).toBe(0.25);
  expect(delay.secondsSince(onConnect)).toBeUndefined();
  expect(delay.secondsSince(watched.current())).toBeUndefined();
});
