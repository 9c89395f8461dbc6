import { beforeAll, describe, expect, test } from 'vitest';
import { encodeBinding, parseBinding, sameSigners } from '../../../../src/signing/format/binding.ts';
import { failure } from '../support.ts';
import { binding, changed, type Loose, Replacement } from './support.ts';

let json: Loose;
beforeAll(() => {
  json = encodeBinding(binding);
});
const [first, second] = binding.signers;

describe('a binding', () => {
  test('is read back as it was', () => {
    expect(parseBinding(JSON.parse(JSON.stringify(json)))).toEqual(binding);
  });

  test.each([
    'registry.example/app',
    'registry.example:5000/a/b/c',
    'localhost:5000/app',
    'docker.io/library/nginx',
  ])('may be for %s', (reference) => {
    expect(parseBinding({ ...json, reference }).reference).toBe(reference);
  });

  test.each<[string, (copy: Loose) => unknown, RegExp]>([
    ['null', () => new Replacement(null), /it is not an object/],
    [
      'a member more',
      (copy) => {
        copy.more = 1;
      },
      /unknown member "more"/,
    ],
    [
      'version 2',
      (copy) => {
        copy.v = 2;
      },
      /its version is 2; this Trellis reads 1/,
    ],
    [
      'a version that is a text',
      (copy) => {
        copy.v = '1';
      },
      /its version is "1"/,
    ],
    [
      'a short id',
      (copy) => {
        copy.id = 'a'.repeat(31);
      },
      /id is not 32/,
    ],
    [
      'a long id',
      (copy) => {
        copy.id = 'a'.repeat(33);
      },
      /id is not 32/,
    ],
    [
      'an id in capitals',
      (copy) => {
        copy.id = 'A'.repeat(32);
      },
      /id is not 32/,
    ],
    [
      'an id that is a number',
      (copy) => {
        copy.id = 1;
      },
      /id is not a text/,
    ],
    [
      'a tag',
      (copy) => {
        copy.reference = 'registry.example/app:v1';
      },
      /reference is not a repository/,
    ],
    [
      'a digest',
      (copy) => {
        copy.reference += `@sha256:${'a'.repeat(64)}`;
      },
      /reference is not a repository/,
    ],
    [
      'a short name',
      (copy) => {
        copy.reference = 'nginx';
      },
      /reference is not a repository/,
    ],
    [
      'a name in capitals',
      (copy) => {
        copy.reference = 'Registry.example/app';
      },
      /reference is not a repository/,
    ],
    [
      'an alias',
      (copy) => {
        copy.reference = 'index.docker.io/library/nginx';
      },
      /reference is not a repository/,
    ],
    [
      'no reference at all',
      (copy) => {
        copy.reference = '';
      },
      /reference is not a repository/,
    ],
    [
      'a time without zone',
      (copy) => {
        copy.signedAt = '2026-11-21T12:00:00.000';
      },
      /signedAt/,
    ],
    [
      'a time without milliseconds',
      (copy) => {
        copy.signedAt = '2026-11-21T12:00:00Z';
      },
      /signedAt/,
    ],
    [
      'a time in another zone',
      (copy) => {
        copy.signedAt = '2026-11-21T12:00:00.000+01:00';
      },
      /signedAt/,
    ],
    [
      'a day that is none',
      (copy) => {
        copy.signedAt = '2026-02-30T12:00:00.000Z';
      },
      /signedAt/,
    ],
    [
      'an hour that is none',
      (copy) => {
        copy.signedAt = '2026-02-20T25:00:00.000Z';
      },
      /signedAt/,
    ],
    [
      'a year of six digits',
      (copy) => {
        copy.signedAt = '+012026-11-21T12:00:00.000Z';
      },
      /signedAt/,
    ],
    [
      'a time that is a number',
      (copy) => {
        copy.signedAt = 1;
      },
      /signedAt is not a text/,
    ],
    [
      'no signers',
      (copy) => {
        copy.signers = [];
      },
      /signers is empty/,
    ],
    [
      'signers that are no list',
      (copy) => {
        copy.signers = {};
      },
      /signers is not an array/,
    ],
    [
      'nine signers',
      (copy) => {
        copy.signers = Array(9).fill(copy.signers[0]);
      },
      /signers has 9 entries, more than 8/,
    ],
    [
      'signers in another order',
      (copy) => {
        copy.signers.reverse();
      },
      /not sorted/,
    ],
    [
      'a signer twice',
      (copy) => {
        copy.signers.unshift(copy.signers[0]);
      },
      /there twice/,
    ],
    [
      'a signer that is a text',
      (copy) => {
        copy.signers = ['x'];
      },
      /a signer is not an object/,
    ],
    [
      'a signer with more',
      (copy) => {
        copy.signers[0].name = 'x';
      },
      /unknown member "name"/,
    ],
    [
      'a signer without key',
      (copy) => {
        delete copy.signers[0].spkiSha256;
      },
      /no member "spkiSha256"/,
    ],
    [
      'an unknown algorithm',
      (copy) => {
        copy.signers[0].algorithm = 'Dilithium3';
      },
      /unknown algorithm "Dilithium3"/,
    ],
    [
      'an algorithm of Object',
      (copy) => {
        copy.signers[0].algorithm = 'constructor';
      },
      /unknown algorithm/,
    ],
    [
      'a key in capitals',
      (copy) => {
        copy.signers[0].spkiSha256 = 'E'.repeat(64);
      },
      /spkiSha256 is not 64/,
    ],
    [
      'a key of a digit more',
      (copy) => {
        copy.signers[0].spkiSha256 = 'e'.repeat(65);
      },
      /spkiSha256 is not 64/,
    ],
    [
      'a key and more',
      (copy) => {
        copy.signers[0].spkiSha256 = `${'e'.repeat(64)} `;
      },
      /spkiSha256 is not 64/,
    ],
    [
      'more and a key',
      (copy) => {
        copy.signers[0].spkiSha256 = ` ${'e'.repeat(64)}`;
      },
      /spkiSha256 is not 64/,
    ],
    [
      'a short key',
      (copy) => {
        copy.signers[0].spkiSha256 = 'e'.repeat(63);
      },
      /spkiSha256 is not 64/,
    ],
  ])('with %s is refused', async (_, change, reason) => {
    const document: unknown = JSON.parse(changed(json, change).toString());
    await failure('ERR_BINDING_INVALID', () => parseBinding(document), reason);
  });

  test('with two keys of one algorithm has them in order', () => {
    const name = (digit: string) => ({ algorithm: 'ML-DSA-65', spkiSha256: digit.repeat(64) }) as const;
    expect(parseBinding({ ...json, signers: [name('1'), name('2')] }).signers).toEqual([
      name('1'),
      name('2'),
    ]);
    expect(() => parseBinding({ ...json, signers: [name('2'), name('1')] })).toThrow(/not sorted/);
    expect(encodeBinding({ ...binding, signers: [name('2'), name('1')] })['signers']).toEqual([
      name('1'),
      name('2'),
    ]);
  });

  test('quotes nothing that a terminal would act on', async () => {
    const evil = JSON.parse(
      changed(json, (copy) => {
        copy.signers[0].algorithm = '\u001b[2J\u009b\u202e"';
      }).toString(),
    );
    const error = await failure('ERR_BINDING_INVALID', () => parseBinding(evil), /unknown algorithm/);
    expect(error.message).toMatch(/^[\x20-\x7e]*$/);
  });
});

describe('signers', () => {
  test('are the same in any order', () => {
    expect(sameSigners(binding.signers, binding.signers.toReversed())).toBe(true);
    expect(sameSigners([], [])).toBe(true);
  });

  test('differ by one more, one less, another key, another algorithm', () => {
    if (first === undefined || second === undefined) throw new Error('two signers');
    const others = [
      [],
      [first],
      [first, first],
      [...binding.signers, { ...first, spkiSha256: 'f'.repeat(64) }],
      [first, { ...second, spkiSha256: 'f'.repeat(64) }],
      [first, { ...second, algorithm: 'ML-DSA-87' as const }],
    ];
    for (const signers of others) {
      expect(sameSigners(binding.signers, signers)).toBe(false);
      expect(sameSigners(signers, binding.signers)).toBe(false);
    }
  });
});
