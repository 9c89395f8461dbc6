// A thief's certificates must be flawless but for the counter-signature, or their refusal would show nothing.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { type CounterFlaw, forgeWithStolenKey } from '../../../../src/cli/demo/forge.ts';
import { fromPemOne } from '../../../../src/crypto/pem.ts';
import { parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import { verifyCounterSignature } from '../../../../src/crypto/x509/counter-signature.ts';
import { validatePath } from '../../../../src/crypto/x509/path.ts';
import { createCaFiles } from '../../../../src/identity/ca.ts';

const trustDomain = 'cluster.local';
const spiffeId = `spiffe://${trustDomain}/ns/shop/sa/web`;

test.each<[CounterFlaw, string]>([
  ['missing', 'ERR_COUNTER_SIGNATURE_MISSING'],
  ['of another key', 'ERR_COUNTER_SIGNATURE_INVALID'],
])('valid up to the root, and the counter-signature is %s', (flaw, code) => {
  const now = new Date();
  const files = createCaFiles({ trustDomain, now, randomBytes });
  const root = parseCertificate(fromPemOne(files.certificate, 'CERTIFICATE'));
  const forged = forgeWithStolenKey(files, { spiffeId, trustDomain, flaw });
  const leaf = parseCertificate(fromPemOne(forged.certificate, 'CERTIFICATE'));
  const path = validatePath({
    leaf,
    intermediates: [],
    anchors: [root],
    trustDomain,
    purpose: 'client',
    now,
  });
  expect(path).toHaveLength(2);
  expect(() => verifyCounterSignature(leaf, root)).toThrow(expect.objectContaining({ code }));
});
