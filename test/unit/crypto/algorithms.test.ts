import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  isSignatureAlgorithm,
  type KemAlgorithm,
  kemAlgorithms,
  keyExchangeGroups,
  meshSignatureAlgorithms,
  meshTls,
  type SignatureAlgorithm,
  signatureAlgorithmByKey,
  signatureAlgorithmByOid,
  signatureAlgorithms,
} from '../../../src/crypto/algorithms.ts';
import { encodeSpki, parseSpki } from '../../../src/crypto/spki.ts';

const names = Object.keys(signatureAlgorithms) as SignatureAlgorithm[];

describe('the table of signature algorithms', () => {
  test.each(names)('%s: sizes and identifiers are those of a key that OpenSSL makes', (name) => {
    const info = signatureAlgorithms[name];
    const pair =
      typeof info.nodeKeyType === 'string'
        ? generateKeyPairSync(info.nodeKeyType)
        : generateKeyPairSync('ec', { namedCurve: info.nodeKeyType.namedCurve });
    const spki = pair.publicKey.export({ format: 'der', type: 'spki' });
    const parsed = parseSpki(spki);
    expect(parsed.algorithm).toBe(name);
    expect(parsed.keyBits.length).toBe(info.publicKeyBytes);
    expect(encodeSpki(name, parsed.keyBits)).toEqual(spki);
    const signature = sign(info.hash, Buffer.from('data'), pair.privateKey);
    if (info.postQuantum) expect(signature.length).toBe(info.signatureBytes);
    else expect(signature.length).toBeLessThanOrEqual(info.signatureBytes);
    if (info.seedBytes !== undefined) {
      expect(pair.privateKey.export({ format: 'raw-seed' }).length).toBe(info.seedBytes);
      expect(pair.privateKey.export({ format: 'jwk' })['alg']).toBe(info.joseName);
    }
  });

  test('every identifier names one algorithm', () => {
    for (const name of names) {
      const info = signatureAlgorithms[name];
      expect(signatureAlgorithmByOid(info.oid)).toBe(name);
      expect(signatureAlgorithmByKey(info.keyOid, info.curveOid)).toBe(name);
    }
    for (const field of ['oid', 'tlsName', 'tlsCodepoint', 'joseName'] as const) {
      expect(new Set(names.map((name) => signatureAlgorithms[name][field])).size).toBe(names.length);
    }
    expect(signatureAlgorithmByOid('1.2.840.113549.1.1.11')).toBeUndefined();
    expect(signatureAlgorithmByKey('2.16.840.1.101.3.4.3.18', '1.2.840.10045.3.1.7')).toBeUndefined();
  });

  test('only names of the table are names', () => {
    expect(names.every(isSignatureAlgorithm)).toBe(true);
    for (const name of [
      'Dilithium3',
      'dilithium3',
      'ml-dsa-65',
      'MLDSA65',
      'toString',
      '__proto__',
      'constructor',
      '',
    ]) {
      expect(isSignatureAlgorithm(name)).toBe(false);
    }
  });

  test('ML-DSA-44 is for verifying only; nothing classical is allowed in the mesh', () => {
    expect(names.filter((name) => !signatureAlgorithms[name].mayIssue)).toEqual(['ML-DSA-44']);
    for (const name of meshSignatureAlgorithms) {
      expect(signatureAlgorithms[name]).toMatchObject({ postQuantum: true, mayIssue: true });
      expect(signatureAlgorithms[name].nistLevel).toBeGreaterThanOrEqual(3);
    }
    expect(meshSignatureAlgorithms).toContain(meshTls.signature);
  });

  test('TLS code points are those of the registries', () => {
    const codepoints = Object.fromEntries(
      names.map((name) => [signatureAlgorithms[name].tlsName, signatureAlgorithms[name].tlsCodepoint]),
    );
    expect(codepoints).toEqual({
      mldsa44: 0x0904,
      mldsa65: 0x0905,
      mldsa87: 0x0906,
      ecdsa_secp256r1_sha256: 0x0403,
      ecdsa_secp384r1_sha384: 0x0503,
    });
    expect(keyExchangeGroups.X25519MLKEM768.codepoint).toBe(4588);
    expect(keyExchangeGroups.MLKEM1024.codepoint).toBe(514);
  });
});

test.each(Object.keys(kemAlgorithms) as KemAlgorithm[])('%s: sizes are those of OpenSSL', (name) => {
  const info = kemAlgorithms[name];
  const pair = generateKeyPairSync(info.nodeKeyType);
  expect(pair.publicKey.export({ format: 'raw-public' }).length).toBe(info.publicKeyBytes);
  expect(pair.privateKey.export({ format: 'raw-seed' }).length).toBe(info.seedBytes);
});
