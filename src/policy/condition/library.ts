// Functions of CEL that the library has in a form too loose to decide by; these take their place.

import { type CelFunc, CelScalar, celFunc, celMethod, celUint, objectType } from '@bufbuild/cel';
import { TimestampSchema, timestampDate } from '@bufbuild/protobuf/wkt';

const { DOUBLE, INT, STRING, UINT } = CelScalar;
const timestamp = objectType(TimestampSchema);

const maxInt = 2n ** 63n - 1n;
const minInt = -(2n ** 63n);
const maxUint = 2n ** 64n - 1n;

/** Leaves room for any 64-bit number. */
const integer = /^[-+]?[0-9]{1,20}$/;
const decimal = /^[-+]?[0-9]{1,64}(\.[0-9]{1,64})?([eE][-+]?[0-9]{1,4})?$/;

/** The library's are BigInt() and Number(), to which the empty text is a zero and `0x10` a sixteen. */
const conversions: CelFunc[] = [
  celFunc('int', [STRING], INT, (text) => whole(text, minInt, maxInt)),
  celFunc('uint', [STRING], UINT, (text) => celUint(whole(text, 0n, maxUint))),
  celFunc('double', [STRING], DOUBLE, (text) => {
    if (!decimal.test(text)) throw new Error('not a number');
    return Number(text);
  }),
];

function whole(text: string, min: bigint, max: bigint): bigint {
  if (!integer.test(text)) throw new Error('not a whole number');
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (value < min || value > max) throw new Error('a number out of range');
  return value;
}

const dayMs = 24 * 60 * 60 * 1000;

/** The library goes through the local time of the process, in which an hour of the year is missing. */
const calendar: CelFunc[] = Object.entries({
  getFullYear: (date: Date) => date.getUTCFullYear(),
  getMonth: (date: Date) => date.getUTCMonth(),
  getDate: (date: Date) => date.getUTCDate(),
  getDayOfMonth: (date: Date) => date.getUTCDate() - 1,
  getDayOfWeek: (date: Date) => date.getUTCDay(),
  getDayOfYear: (date: Date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMs),
  getHours: (date: Date) => date.getUTCHours(),
  getMinutes: (date: Date) => date.getUTCMinutes(),
  getSeconds: (date: Date) => date.getUTCSeconds(),
}).map(([name, part]) =>
  celMethod(name, timestamp, [], INT, function () {
    return BigInt(part(timestampDate(this.message)));
  }),
);

export const strictFunctions: readonly CelFunc[] = [...conversions, ...calendar];
