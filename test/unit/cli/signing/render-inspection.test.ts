import { describe, expect, test } from 'vitest';
import { inspectionJson, renderInspection } from '../../../../src/cli/signing/render-inspection.ts';
import { digestOf } from '../../../../src/registry/digest.ts';
import type { Attached, Inspection } from '../../../../src/signing/inspect.ts';

const digest = digestOf(Buffer.from('x'));

function inspection(changes: Partial<Attached>, notRead = 0): Inspection {
  return {
    image: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 5 },
    source: 'api',
    notRead,
    attached: [
      {
        manifest: digest,
        kind: 'signature',
        size: 9,
        predicateType: 'https://type.example',
        claims: {},
        binding: undefined,
        annotations: {},
        timestamps: 0,
        timestampVerdict: undefined,
        inTransparencyLog: false,
        problem: undefined,
        ...changes,
      },
    ],
  };
}

const render = (changes: Partial<Attached>, notRead?: number) =>
  renderInspection('registry.example/app', inspection(changes, notRead));

/** Colour, the title of the window, C1's CSI, a line of its own, and text that runs backwards. */
const hostile = '\u001b[31m\u001b]0;x\u0007\u009b2J\nverified\u202e\u2066';

/** What a terminal would act upon, apart from the ends of our own lines. */
const active = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u;

describe('nothing that others wrote acts on the terminal', () => {
  test.each([
    ['an annotation', { annotations: { [hostile]: hostile } }],
    ['an identity', { claims: { subject: hostile, issuer: hostile } }],
    ['a predicate type', { kind: 'attestation', predicateType: hostile }],
    ['a reason', { kind: 'other', problem: hostile }],
    ['a reference', { binding: { v: 1, id: '0', reference: hostile, signedAt: new Date(0), signers: [] } }],
    ['a time-stamp', { timestamps: 1, timestampVerdict: { ok: false, reason: hostile } }],
  ] as const)('%s', (_, changes) => {
    const lines = render(changes as Partial<Attached>).split('\n');
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(line).not.toMatch(active);
    expect(lines).not.toContain('verified');
    const json = inspectionJson(inspection(changes as Partial<Attached>));
    for (const line of json.split('\n')) expect(line).not.toMatch(active);
    expect(JSON.parse(json).attached[0]).toMatchObject(JSON.parse(JSON.stringify(changes)));
  });
});

describe('tells of time-stamps', () => {
  const times = [new Date('2026-11-21T12:00:00.000Z')];

  test('whether they were verified, and when the signature existed', () => {
    expect(render({ timestamps: 1 })).toContain('1 time-stamp, not verified: give --trusted-root');
    expect(render({ timestamps: 1, timestampVerdict: { ok: true, times } })).toContain(
      '1 time-stamp, verified: the signature existed at 2026-11-21T12:00:00.000Z',
    );
    expect(render({ timestamps: 2, timestampVerdict: { ok: false, reason: 'no' } })).toContain(
      '2 time-stamps, refused: no',
    );
    expect(render({})).not.toContain('time-stamp');
  });
});

test('tells how many were not looked at, and why', () => {
  expect(render({}, 3)).toContain('4 referrers');
  expect(render({}, 3)).toContain('3 more were not looked at: there are too many');
  expect(render({})).not.toContain('not looked at');
});
