import { expect, test } from 'vitest';
import { encodeEvent, eventTexts } from '../../../../src/admission/report/event.ts';
import { decision, finding } from './support.ts';

test('of what is denied, only why', () => {
  const findings = [finding({ message: 'a' }), finding({ enforcement: 'warn', message: 'b' })];
  expect(eventTexts(decision(findings))).toEqual([{ type: 'Warning', reason: 'AdmissionDenied', note: 'a' }]);
});

test('of what is let in, warnings and what is only recorded, each once', () => {
  const findings = [
    finding({ enforcement: 'warn', message: 'b' }),
    finding({ enforcement: 'audit', message: 'c' }),
    finding({ enforcement: 'warn', message: 'b' }),
    finding({ enforcement: 'warn', message: 'd' }),
  ];
  expect(eventTexts(decision(findings))).toEqual([
    { type: 'Warning', reason: 'AdmissionWarned', note: 'b; d' },
    { type: 'Normal', reason: 'AdmissionAudited', note: 'c' },
  ]);
});

test('nothing found, nothing said', () => {
  expect(eventTexts(decision())).toEqual([]);
});

test('a note is no longer than the API server takes, and shows nothing that a terminal would obey', () => {
  const findings = Array.from({ length: 50 }, (_, index) =>
    finding({ message: `image ${index} \u001b[2J of \u202e nobody is not signed`.repeat(2) }),
  );
  const [text] = eventTexts(decision(findings));
  expect(Buffer.byteLength(text?.note ?? '')).toBeLessThanOrEqual(1024);
  expect(text?.note).toMatch(/^image 0 \\u001b\[2J of \\u202e nobody.* \(and \d+ more\)$/);
});

test('a series is written when there is one', () => {
  const at = new Date('2027-01-15T08:00:00.123Z');
  const options = {
    name: 'x',
    subject: { apiVersion: 'v1', kind: 'Pod', namespace: 'a', name: 'p', uid: 'u' },
    text: { type: 'Warning', reason: 'AdmissionDenied', note: 'no' },
    instance: 'i'.repeat(200),
  } as const;
  const once = encodeEvent({ ...options, occurrences: { count: 1, first: at, last: at } });
  expect(once).toMatchObject({ eventTime: '2027-01-15T08:00:00.123000Z', regarding: options.subject });
  expect(once).not.toHaveProperty('series');
  expect(Buffer.byteLength((once as { reportingInstance: string }).reportingInstance)).toBe(128);
  const last = new Date('2027-01-15T09:00:00Z');
  expect(encodeEvent({ ...options, occurrences: { count: 7, first: at, last } })).toMatchObject({
    eventTime: '2027-01-15T08:00:00.123000Z',
    series: { count: 7, lastObservedTime: '2027-01-15T09:00:00.000000Z' },
  });
});
