/** The identifier octets Trellis reads and writes (X.690 §8.1.2). All are single octets; higher tag numbers are refused. */
export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const contextClass = 0x80;
const constructedBit = 0x20;

/** `[n]` over a primitive encoding: IMPLICIT strings and integers. */
export function contextPrimitive(n: number): number {
  return contextClass | n;
}

/** `[n]` over a constructed encoding: EXPLICIT, or IMPLICIT over a SEQUENCE or SET. */
export function contextConstructed(n: number): number {
  return contextClass | constructedBit | n;
}
