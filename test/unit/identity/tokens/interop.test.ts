// The same tokens and keys, seen by jose and by noble.

import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { calculateJwkThumbprint, createLocalJWKSet, importJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { parseSpki } from '../../../../src/crypto/spki.ts';
import { publicJwk } from '../../../../src/identity/tokens/jwk.ts';
import { tokenTypes } from '../../../../src/identity/tokens/types.ts';
import { now } from '../support/storage.ts';
import { audience, goodClaims, goodHeader, judge, jwks, mint, signingKeys, subject } from './support.ts';

const checks = { audience, subject, currentDate: now, typ: 'JWT' };

describe.each(tokenTypes)('%s', (type) => {
  const jwk = publicJwk(type, signingKeys[type].publicKey);

  test('jose verifies what we mint', async () => {
    const key = await importJWK({ ...jwk });
    const { payload, protectedHeader } = await jwtVerify(mint(type).token, key, {
      ...checks,
      algorithms: [jwk.alg],
    });
    expect(payload).toEqual(goodClaims);
    expect(protectedHeader).toEqual(goodHeader(type));
  });

  test('we verify what jose mints', async () => {
    const token = await new SignJWT(goodClaims)
      .setProtectedHeader({ alg: jwk.alg, kid: jwk.kid })
      .sign(signingKeys[type].privateKey);
    expect(judge(token)).toBe(`good ${type}`);
  });

  test('jose has the same thumbprint', async () => {
    expect(await calculateJwkThumbprint({ ...jwk })).toBe(jwk.kid);
  });
});

test('jose finds the key of a workload token in the published set', async () => {
  const set = createLocalJWKSet(JSON.parse(jwks.workloadTokens) as { keys: JWK[] });
  expect((await jwtVerify(mint('ML-DSA').token, set, checks)).payload.sub).toBe(subject);
});

describe('noble', () => {
  const key = signingKeys['ML-DSA'];
  const { token } = mint('ML-DSA');
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')));
  const signature = Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url');
  const { keyBits } = parseSpki(key.publicKey.export({ format: 'der', type: 'spki' }));
  const { secretKey } = ml_dsa65.keygen(key.privateKey.export({ format: 'raw-seed' }));
  const signed = (bytes: Uint8Array) => `${input.toString()}.${Buffer.from(bytes).toString('base64url')}`;

  test('verifies what we sign, with an empty context (RFC 9964 §5)', () => {
    expect(ml_dsa65.verify(signature, input, keyBits)).toBe(true);
    expect(ml_dsa65.verify(signature, input, keyBits, { context: Buffer.from('JWT') })).toBe(false);
  });

  test('signs what we verify, with an empty context alone', () => {
    expect(judge(signed(ml_dsa65.sign(input, secretKey)))).toBe('good ML-DSA');
    expect(judge(signed(ml_dsa65.sign(input, secretKey, { context: Buffer.from('JWT') })))).toBe(
      'token-signature',
    );
  });
});
