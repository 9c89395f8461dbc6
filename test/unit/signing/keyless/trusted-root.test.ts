// Which trusted roots are taken, and which are refused before anything is judged by them.

import { beforeAll, describe, expect, test } from 'vitest';
import { parseTrustedRoot } from '../../../../src/signing/keyless/trusted-root.ts';
import { type ForgedAuthority, forgeAuthority, oids, x509 } from '../../../support/sigstore/forge.ts';
import { startSigstore, type TestSigstore, type TrustedRootJson } from '../../../support/sigstore.ts';

let sigstore: TestSigstore;
beforeAll(async () => {
  sigstore = await startSigstore();
});

function parse(change?: (root: TrustedRootJson) => void) {
  return parseTrustedRoot(sigstore.trustedRoot(change));
}

function refused(bytes: Buffer): string {
  try {
    parseTrustedRoot(bytes);
  } catch (error) {
    expect(error).toMatchObject({ name: 'SigningError', code: 'ERR_TRUSTED_ROOT_INVALID' });
    const { message } = error as Error;
    expect(message).toMatch(/cosign trusted-root create.*TUF client/);
    return message;
  }
  throw new Error('it was accepted');
}

const der = (chain: readonly ForgedAuthority[]) => ({
  certificates: chain.map(({ certificate }) => ({ rawBytes: certificate.toString('base64') })),
});

function withChain(
  list: 'certificateAuthorities' | 'timestampAuthorities',
  chain: readonly ForgedAuthority[],
) {
  return sigstore.trustedRoot((root) => {
    for (const authority of root[list]) authority.certChain = der(chain);
  });
}

describe('a trusted root', () => {
  test('is read', () => {
    const { material } = parse();
    expect(material.certificateAuthorities).toHaveLength(1);
    expect(material.tlogs).toHaveLength(1);
    expect(material.ctlogs).toHaveLength(1);
    expect(material.timestampAuthorities).toHaveLength(1);
    expect(() => material.publicKey('any hint')).toThrow();
  });

  test('is read in its newer version, with parts missing, and with members of later versions', () => {
    expect(() =>
      parse((root) =>
        Object.assign(root, { mediaType: 'application/vnd.dev.sigstore.trustedroot.v0.2+json', x: 1 }),
      ),
    ).not.toThrow();
    // What "cosign trusted-root create" writes without options.
    const empty = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' };
    expect(parseTrustedRoot(Buffer.from(JSON.stringify(empty))).material.tlogs).toEqual([]);
  });

  test('may name the chain from its root down', async () => {
    const root = await forgeAuthority({ name: 'CN=root' });
    const intermediate = await forgeAuthority({ name: 'CN=below', issuer: root });
    expect(() => parseTrustedRoot(withChain('certificateAuthorities', [root, intermediate]))).not.toThrow();
  });
});

describe('a trusted root is refused', () => {
  test.each([
    ['that is no JSON', 'hello'],
    ['that is nothing', ''],
    ['that is no object', '[]'],
    ['without a media type', '{}'],
    ['of another media type', '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'],
    [
      'with a member twice',
      '{"mediaType":"x","mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}',
    ],
    ['that is too large', ' '.repeat(1024 * 1024 + 1)],
  ])('%s', (_name, text) => {
    refused(Buffer.from(text));
  });

  test.each<[string, (root: TrustedRootJson) => void, RegExp]>([
    [
      'with a log without a key',
      (root) => Object.assign(root.tlogs[0] ?? {}, { publicKey: {} }),
      /without public key/,
    ],
    ['with a log without an id', (root) => Object.assign(root.tlogs[0] ?? {}, { logId: undefined }), /logId/],
    [
      'with a log whose key is none',
      (root) => Object.assign(root.ctlogs[0]?.publicKey ?? {}, { rawBytes: 'aGVsbG8=' }),
      /^/,
    ],
    [
      'with a log that does not say since when',
      (root) => Object.assign(root.tlogs[0]?.publicKey ?? {}, { validFor: {} }),
      /since when/,
    ],
    [
      'with a log that says nothing of time',
      (root) => Object.assign(root.ctlogs[0]?.publicKey ?? {}, { validFor: undefined }),
      /since when/,
    ],
    [
      'with an end that is no date',
      (root) => Object.assign(root.tlogs[0]?.publicKey.validFor ?? {}, { end: 'tomorrow' }),
      /no date/,
    ],
    [
      'with a beginning of an authority that is no date',
      (root) => Object.assign(root.certificateAuthorities[0]?.validFor ?? {}, { start: 'x' }),
      /no date/,
    ],
    [
      'with an authority without certificates',
      (root) => Object.assign(root.certificateAuthorities[0] ?? {}, { certChain: { certificates: [] } }),
      /without certificates/,
    ],
    [
      'with an authority without a chain',
      (root) => Object.assign(root.timestampAuthorities[0] ?? {}, { certChain: undefined }),
      /without certificates/,
    ],
    [
      'with a certificate that is none',
      (root) =>
        Object.assign(root.certificateAuthorities[0] ?? {}, {
          certChain: { certificates: [{ rawBytes: 'aGVsbG8=' }] },
        }),
      /^/,
    ],
    [
      'with too many authorities',
      (root) => root.tlogs.push(...Array(64).fill(root.tlogs[0])),
      /more than 64/,
    ],
    [
      'with a chain without end',
      (root) => {
        const [one] = root.certificateAuthorities;
        one?.certChain.certificates.push(...Array(8).fill(one.certChain.certificates[0]));
      },
      /more than 8/,
    ],
  ])('%s', (_name, change, reason) => {
    expect(refused(sigstore.trustedRoot(change))).toMatch(reason);
  });

  test('whose chain ends in the air', async () => {
    const root = await forgeAuthority({ name: 'CN=root' });
    const intermediate = await forgeAuthority({ name: 'CN=below', issuer: root });
    expect(refused(withChain('certificateAuthorities', [intermediate]))).toMatch(
      /without its self-signed root/,
    );
  });

  test('whose certificates are for another purpose', async () => {
    const root = await forgeAuthority({ name: 'CN=root' });
    for (const purpose of [oids.serverAuth, oids.timeStamping]) {
      const below = await forgeAuthority({ name: 'CN=below', issuer: root, purposes: [purpose] });
      expect(refused(withChain('certificateAuthorities', [below, root]))).toMatch(/not for code signing/);
    }
    const good = await forgeAuthority({ name: 'CN=below', issuer: root, purposes: [oids.codeSigning] });
    expect(() => parseTrustedRoot(withChain('certificateAuthorities', [good, root]))).not.toThrow();
  });

  test('whose time-stamp authority has no certificate for time-stamping', async () => {
    const root = await forgeAuthority({ name: 'CN=root' });
    for (const purposes of [undefined, [oids.codeSigning]]) {
      const leaf = await forgeAuthority({
        name: 'CN=tsa',
        issuer: root,
        ca: false,
        ...(purposes && { purposes }),
      });
      expect(refused(withChain('timestampAuthorities', [leaf, root]))).toMatch(/not for time-stamping/);
    }
    const good = await forgeAuthority({
      name: 'CN=tsa',
      issuer: root,
      ca: false,
      purposes: [oids.timeStamping],
    });
    expect(() => parseTrustedRoot(withChain('timestampAuthorities', [good, root]))).not.toThrow();
  });

  test('whose authorities are narrowed by what would have no effect here', async () => {
    for (const [id, critical] of [
      ['2.5.29.30', false],
      ['2.5.29.30', true],
      ['2.5.29.36', false],
      ['1.2.3.4', true],
    ] as const) {
      const extension = new x509.Extension(id, critical, new Uint8Array([0x30, 0]));
      const root = await forgeAuthority({ name: 'CN=root', extensions: [extension] });
      expect(refused(withChain('certificateAuthorities', [root]))).toMatch(`no effect here (${id})`);
    }
    const harmless = new x509.Extension('1.2.3.4', false, new Uint8Array([0x30, 0]));
    const root = await forgeAuthority({ name: 'CN=root', extensions: [harmless] });
    expect(() => parseTrustedRoot(withChain('certificateAuthorities', [root]))).not.toThrow();
  });
});
