// Durations as protobuf wants them.

import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';

const millisecondsPerSecond = 1000;
const nanosecondsPerMillisecond = 1_000_000;

export function milliseconds(value: number): Duration {
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(value / millisecondsPerSecond)),
    nanos: (value % millisecondsPerSecond) * nanosecondsPerMillisecond,
  });
}

export function seconds(value: number): Duration {
  return milliseconds(value * millisecondsPerSecond);
}
