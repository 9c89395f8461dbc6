// The Secret's data, as whoever may have written it.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  newAuthority,
  newLeaf,
  systemRandomness,
  validityFrom,
} from '../../../../src/admission/certificate/issue.ts';
import { readSecretData, writeSecretData } from '../../../../src/admission/certificate/secret-data.ts';
import type { ServingState } from '../../../../src/admission/certificate/serving-state.ts';

const random = systemRandomness(randomBytes);
const validity = validityFrom(new Date('2026-03-01T12:00:00Z'), 3_600_000, undefined);
const [authority, next, old] = [0, 1, 2].map(() => newAuthority(validity, random));
if (authority === undefined || next === undefined || old === undefined) throw new Error('unreachable');
const leaf = newLeaf(authority, ['a.b.svc'], validity, random);
const state: ServingState = { generation: 7, authority, leaf, next, previous: [old.certificate] };
const data = writeSecretData(state);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('what is written is read', () => {
  const read = readSecretData(data);
  expect(read).toMatchObject({ kind: 'found', generation: 7, problems: [] });
  expect(writeSecretData({ ...state, ...(read as unknown as ServingState) })).toEqual(data);
});

test.each([undefined, null, 7, 'a', [], {}, { 'tls.crt': '' }, { other: 'b3du' }])(
  'nothing of ours: %j',
  (nothing) => {
    expect(readSecretData(nothing).kind).toBe('empty');
  },
);

test.each(['0', '-1', '1.5', '1e3', '01', '9999999999', 'x', ''])('generation %s: not ours', (generation) => {
  const read = readSecretData({ ...data, 'trellis-generation': base64(generation) });
  expect(read).toMatchObject({ kind: 'foreign', generation: 0 });
});

test.each([
  ['a key that is another’s', { 'ca.key': data['tls.key'] }, 'ca.crt'],
  ['a certificate that may not sign', { 'ca.crt': data['tls.crt'], 'ca.key': data['tls.key'] }, 'ca.crt'],
  ['no key', { 'tls.key': '' }, 'tls.crt'],
  ['no certificate', { 'tls.crt': undefined }, 'tls.crt'],
  ['half a pair', { 'next-ca.key': undefined }, 'next-ca.crt'],
  [
    'two where one belongs',
    { 'ca.crt': base64(`${atob(data['ca.crt'] ?? '')}${atob(data['tls.crt'] ?? '')}`) },
    'ca.crt',
  ],
  ['no PEM', { 'tls.crt': base64('hello') }, 'tls.crt'],
  ['no base64', { 'tls.crt': '%%%' }, 'tls.crt'],
  ['no text', { 'tls.crt': 7 }, 'tls.crt'],
  ['more than anything of ours has', { 'previous-ca.crt': base64('x'.repeat(20_000)) }, undefined],
  ['junk', { 'previous-ca.crt': base64('x') }, 'previous-ca.crt'],
])('%s is damage to that part alone', (_what, change, problem) => {
  const read = readSecretData({ ...data, ...change });
  expect(read.kind).toBe('found');
  expect(read.problems).toEqual(problem === undefined ? [] : [problem]);
  const parts = { 'ca.crt': read.authority, 'tls.crt': read.leaf, 'next-ca.crt': read.next };
  for (const [part, value] of Object.entries(parts)) expect(value === undefined).toBe(part === problem);
});
