// Keyless signatures in both directions, on real registries, with the mocks of Sigstore's services: stock cosign verifies
// ours offline by the trusted root alone, and we verify what stock cosign signs against the same services.

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../src/crypto/keys.ts';
import { readIdentityToken } from '../../src/signing/keyless/identity-token.ts';
import { type KeylessSignerOptions, keylessSigner } from '../../src/signing/keyless/keyless-signer.ts';
import { keylessVerifier } from '../../src/signing/keyless/keyless-verifier.ts';
import { parseTrustedRoot } from '../../src/signing/keyless/trusted-root.ts';
import { localSigner } from '../../src/signing/keys/signer.ts';
import { keyParty } from '../../src/signing/sign/party.ts';
import { runCosign } from '../support/cosign.ts';
import { registryKinds } from '../support/registry.ts';
import { issuer, subject } from '../support/sigstore/forge.ts';
import { identityToken, startSigstore, type TestSigstore } from '../support/sigstore.ts';
import { attach, cosign, fileOf, type ImageWorld, judge, startImages } from './images.ts';

let sigstore: TestSigstore;
let trustedRootFile: string;
beforeAll(async () => {
  sigstore = await startSigstore();
  trustedRootFile = await fileOf(sigstore.trustedRoot(), 'trusted_root.json');
});

function party(changes: Partial<KeylessSignerOptions> = {}) {
  return keylessSigner({
    identityToken: async () =>
      readIdentityToken(identityToken(), { audience: 'sigstore', now: new Date(), source: 'a test' }),
    fulcioUrl: sigstore.url,
    rekorUrl: sigstore.url,
    now: () => new Date(),
    random: randomBytes,
    ...changes,
  });
}

const verifier = (requireLog = true) =>
  keylessVerifier({ issuer, subject, trustedRoot: parseTrustedRoot(sigstore.trustedRoot()), requireLog });

function verifyArguments(identity = subject, from = issuer): string[] {
  return [
    ...['verify', '--trusted-root', trustedRootFile],
    ...['--certificate-identity', identity, '--certificate-oidc-issuer', from],
  ];
}

describe.each(registryKinds)('on %s', (kind) => {
  let images: ImageWorld;
  beforeAll(async () => {
    images = await startImages(kind);
  });

  test.each([
    ['with a log entry', {}, []],
    ['with a log entry and a time-stamp', { tsaUrl: true }, ['--use-signed-timestamps']],
    [
      'with a time-stamp alone',
      { tsaUrl: true, rekorUrl: undefined },
      ['--use-signed-timestamps', '--insecure-ignore-tlog'],
    ],
  ])('cosign verifies ours, %s', async (_name, changes, extra) => {
    const image = await images.image();
    const options = { ...changes, ...('tsaUrl' in changes && { tsaUrl: sigstore.tsaUrl }) };
    await attach(images, image, { parties: [party(options as Partial<KeylessSignerOptions>)] });
    await cosign([...verifyArguments(), ...extra, image.reference]);
    const requireLog = !('rekorUrl' in changes);
    expect(await judge(images, image, { keyless: verifier(requireLog) })).toMatchObject({ ok: true });
    // It looked at who signed, and where.
    const stranger = await runCosign([...verifyArguments(`${subject}x`), ...extra, image.reference]);
    expect(stranger.status).not.toBe(0);
    const elsewhere = await runCosign([...verifyArguments(subject, `${issuer}x`), ...extra, image.reference]);
    expect(elsewhere.status).not.toBe(0);
  });

  test('cosign verifies ours beside an ML-DSA signature of the same payload', async () => {
    const image = await images.image();
    const mldsa = localSigner(generateSigningKey('ML-DSA-65'));
    await attach(images, image, { parties: [party(), keyParty(mldsa)] });
    await cosign([...verifyArguments(), image.reference]);
    const keyset = { name: 'ci', notAfter: undefined, keys: [mldsa.publicKey] };
    expect(await judge(images, image, { keysets: [keyset], keyless: verifier() })).toMatchObject({
      ok: true,
    });
    expect(await judge(images, image, { keyless: verifier() })).toMatchObject({ ok: false });
  });

  test('we verify what cosign signs', async () => {
    const image = await images.image();
    await cosignKeyless(['sign', '--yes'], image.reference);
    await cosign([...verifyArguments(), image.reference]);
    const keyless = verifier();
    const verdict = await judge(images, image, { keyless }, { bindReference: 'none' });
    expect(verdict).toMatchObject({ ok: true, signatures: [{ ok: true, identity: { issuer, subject } }] });
    expect(await judge(images, image, { keyless })).toMatchObject({ ok: false });
    const other = keylessVerifier({
      issuer,
      subject: `${subject}x`,
      trustedRoot: parseTrustedRoot(sigstore.trustedRoot()),
    });
    expect(await judge(images, image, { keyless: other }, { bindReference: 'none' })).toMatchObject({
      ok: false,
      signatures: [{ code: 'certificate-refused' }],
    });
  });

  /** Against the mocks, with a time-stamp, told where by a signing configuration. */
  async function cosignKeyless(command: readonly string[], reference: string): Promise<void> {
    const service = (url: string) =>
      `url=${url},api-version=1,start-time=2024-01-01T00:00:00Z,operator=sigstore.mock`;
    const config = await fileOf('', 'signing_config.json');
    await cosign([
      ...['signing-config', 'create', '--out', config],
      ...['--fulcio', service(sigstore.url)],
      ...['--rekor', service(sigstore.url), '--rekor-config', 'ANY'],
      ...['--tsa', service(sigstore.tsaUrl), '--tsa-config', 'ANY'],
    ]);
    await cosign([
      ...command,
      ...['--signing-config', config, '--trusted-root', trustedRootFile],
      ...['--identity-token', await fileOf(identityToken(), 'token')],
      reference,
    ]);
  }
});
