// Bouncy Castle, an independent implementation of the X.509 alternative signatures, confirms both signatures of what
// Trellis issues, and Trellis both of what Bouncy Castle issues.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCertificate } from '../../../src/crypto/x509/certificate.ts';
import {
  verifyCounterSignature,
  verifyCounterSignedPath,
} from '../../../src/crypto/x509/counter-signature.ts';
import { extensionOid } from '../../../src/crypto/x509/oids.ts';
import { validatePath } from '../../../src/crypto/x509/path.ts';
import { checkAnchors } from '../../../src/crypto/x509/trust-anchors.ts';
import { bouncyCastleTimeoutMs, crossCheck, missingPrograms } from './support/bouncy-castle.ts';
import { makeIssuingCa, makeLeaf, makeRoot } from './support/fixtures.ts';
import { extensionsWithout, forge, rawExtension } from './support/forge.ts';

test('Bouncy Castle and Trellis agree on both signatures, both ways', {
  timeout: bouncyCastleTimeoutMs,
}, async (ctx) => {
  const missing = await missingPrograms();
  if (missing.length > 0) {
    const reason = `needs ${missing.join(' and ')} on PATH (a JDK of version 17 or later, and Maven)`;
    if (process.env['CI'] !== undefined) throw new Error(reason);
    // The default reporter does not show why a test was skipped.
    process.stderr.write(`skipped the cross-check with Bouncy Castle: it ${reason}\n`);
    ctx.skip(reason);
  }

  const root = makeRoot();
  const issuing = makeIssuingCa(root);
  const strong = makeRoot({ algorithm: 'ML-DSA-87', counterAlgorithm: 'ECDSA-P384', name: 'strong' });
  const leaf = makeLeaf(root).certificate;
  // A counter-signature from another leaf of the same CA: Bouncy Castle must see that it is wrong.
  const swapped = parseCertificate(
    forge(leaf, root.key, {
      extensions: [
        ...extensionsWithout(leaf, extensionOid.altSignatureValue),
        rawExtension(makeLeaf(root).certificate, extensionOid.altSignatureValue),
      ],
    }),
  );
  const pairs = {
    root: [root.certificate, root.certificate],
    leaf: [leaf, root.certificate],
    issuing: [issuing.certificate, root.certificate],
    nested: [makeLeaf(issuing).certificate, issuing.certificate],
    strong: [makeLeaf(strong).certificate, strong.certificate],
    swapped: [swapped, root.certificate],
    foreign: [leaf, makeRoot().certificate],
  } as const;

  const dir = await mkdtemp(join(tmpdir(), 'trellis-bouncy-castle-'));
  try {
    for (const [name, [certificate, issuer]] of Object.entries(pairs)) {
      await writeFile(join(dir, `${name}.der`), certificate.der);
      await writeFile(join(dir, `${name}.issuer.der`), issuer.der);
    }
    expect(await crossCheck(dir)).toEqual([
      'foreign primary=false alternative=false',
      'issuing primary=true alternative=true',
      'leaf primary=true alternative=true',
      'nested primary=true alternative=true',
      'root primary=true alternative=true',
      'strong primary=true alternative=true',
      'swapped primary=true alternative=false',
    ]);

    const theirRoot = parseCertificate(await readFile(join(dir, 'bc-root.crt')));
    const theirLeaf = parseCertificate(await readFile(join(dir, 'bc-leaf.crt')));
    expect(() => verifyCounterSignature(theirRoot, theirRoot)).not.toThrow();
    const path = validatePath({
      leaf: theirLeaf,
      intermediates: [],
      anchors: checkAnchors([theirRoot], 'mesh.example'),
      now: new Date(),
      purpose: 'client',
      trustDomain: 'mesh.example',
    });
    expect(() => verifyCounterSignedPath(path)).not.toThrow();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
