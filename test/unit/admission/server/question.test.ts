// What is left of a body in memory.

import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Course } from '../../../../src/admission/server/course.ts';
import { Load } from '../../../../src/admission/server/load.ts';
import { readQuestion } from '../../../../src/admission/server/question.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { until } from '../../../support/until.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const pieceBytes = 16 * 1024;
const pieces = 8;

/** A body of so many pieces, each of them of its own, and which of them are still in memory. */
async function comeTo(body: PassThrough): Promise<{ readonly left: () => number }> {
  const kept: WeakRef<Buffer>[] = [];
  for (let piece = 0; piece < pieces; piece++) {
    const bytes = Buffer.alloc(pieceBytes, ' ');
    kept.push(new WeakRef(bytes));
    body.write(bytes);
    await setImmediate();
  }
  return {
    left: () => {
      collect();
      return kept.filter((piece) => piece.deref() !== undefined).length;
    },
  };
}

function begin() {
  const max = 10 * pieceBytes;
  const load = new Load({
    ...{ maxUnderWay: 8, maxUnderWayPerAddress: 8 },
    ...{ maxBytesUnderWay: max, maxBytesUnderWayPerAddress: max },
  });
  const share = load.begin('192.0.2.1');
  if (share === undefined) throw new Error('no room');
  const course = new Course(share, { bodyMs: 60_000, stalled: () => {}, finished: () => {} });
  onEnd(() => course.abandoned());
  const body = new PassThrough();
  const question = readQuestion(body as unknown as IncomingMessage, course, max);
  return { load, course, body, question };
}

test('nothing when it has to make room, although its next piece is long in coming', async () => {
  const { load, body, question } = begin();
  const { left } = await comeTo(body);
  expect(left()).toBe(pieces);
  expect(load.begin('192.0.2.2')?.hold(4 * pieceBytes)).toBe(true);
  // The last one is in the hands of the stream.
  await until('them to be gone', () => left() <= 1);
  body.end('{}');
  expect(await question).toEqual({ kind: 'overloaded' });
});

test('nothing but what has been parsed from it, while that is judged', async () => {
  const { course, body, question } = begin();
  const { left } = await comeTo(body);
  body.end('{}');
  expect(await question).toEqual({ kind: 'json', value: {} });
  await until('it to be gone', () => left() <= 1);
  expect(course.signal.aborted).toBe(false);
});
