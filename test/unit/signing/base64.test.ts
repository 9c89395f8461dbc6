import { describe, expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../../src/signing/base64.ts';
import { failure } from './support.ts';

describe('base64', () => {
  test.each([
    ['', ''],
    ['TQ==', 'M'],
    ['TWE=', 'Ma'],
    ['TWFu', 'Man'],
    ['+/+/', '\u{fb}\u{ff}\u{bf}'],
  ])('%j is read', (text, bytes) => {
    expect(decodeBase64(text, 'it')).toEqual(Buffer.from(bytes, 'latin1'));
    expect(encodeBase64(Buffer.from(bytes, 'latin1'))).toBe(text);
  });

  test.each([
    ['without padding', 'TQ'],
    ['with half of its padding', 'TQ='],
    ['with too much padding', 'TWFu===='],
    ['with padding inside', 'TQ==TQ=='],
    ['with unused bits set', 'TR=='],
    ['in the alphabet for addresses', '-_-_'],
    ['with a line break', 'TWFu\nTWFu'],
    ['with a line break at the end', 'TWFu\n'],
    ['with space', ' TWFu'],
    ['of one character', 'T'],
    ['that is something else', 'TW!u'],
    ['beyond ASCII', 'TWFuÄ'],
  ])('%s is refused', async (_, text) => {
    await failure(
      'ERR_BASE64_INVALID',
      () => decodeBase64(text, 'the seal'),
      /^the seal is not canonical base64/,
    );
  });

  test('is written from a part of a buffer', () => {
    expect(encodeBase64(Buffer.from('xManx').subarray(1, 4))).toBe('TWFu');
  });
});
