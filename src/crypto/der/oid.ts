import { CryptoError } from '../errors.ts';

/** The contents octets of an OBJECT IDENTIFIER; far above any in use, low enough that decoding stays cheap. */
const maxOidBytes = 64;

const continuation = 0x80;
const arcBits = 7n;

/** Dotted form of the contents octets of an OBJECT IDENTIFIER (X.690 §8.19). @throws CryptoError ERR_DER */
export function decodeOid(content: Uint8Array): string {
  if (content.length === 0 || content.length > maxOidBytes)
    throw new CryptoError('ERR_DER', 'object identifier of a wrong length');
  const arcs: bigint[] = [];
  let arc = 0n;
  let atStart = true;
  for (const byte of content) {
    // §8.19.2: the fewest possible octets, so that one identifier has one encoding.
    if (atStart && byte === continuation)
      throw new CryptoError('ERR_DER', 'object identifier with a padded arc');
    arc = (arc << arcBits) | BigInt(byte & 0x7f);
    atStart = (byte & continuation) === 0;
    if (atStart) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  if (!atStart) throw new CryptoError('ERR_DER', 'object identifier is cut off');
  const [first = 0n, ...rest] = arcs;
  // §8.19.4: the first two arcs share one subidentifier; the top arc is 0, 1 or 2.
  const top = first < 80n ? first / 40n : 2n;
  return [top, first - top * 40n, ...rest].join('.');
}

/** The contents octets of an OBJECT IDENTIFIER given in dotted form. For constants: throws a RangeError on nonsense. */
export function encodeOid(dotted: string): Buffer {
  const [top = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  const bytes: number[] = [];
  for (const arc of [top * 40n + second, ...rest]) {
    const groups = [Number(arc & 0x7fn)];
    for (let left = arc >> arcBits; left > 0n; left >>= arcBits)
      groups.unshift(Number(left & 0x7fn) | continuation);
    bytes.push(...groups);
  }
  return Buffer.from(bytes);
}
