// A small mesh PKI with a fixed clock, made through the public functions.

import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { IssuingAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { CryptoError, type CryptoErrorCode } from '../../../../src/crypto/errors.ts';
import { generateSigningKey, type SigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { type Certificate, parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import {
  createIssuer,
  type Issuer,
  issueCa,
  issueRoot,
  issueSvid,
} from '../../../../src/crypto/x509/issue.ts';

export const now = new Date('2026-03-01T12:00:00Z');
export const trustDomain = 'mesh.example';
export const spiffeId = 'spiffe://mesh.example/ns/trading/sa/gateway';

const second = 1000;
export const hour = 3600 * second;
export const day = 24 * hour;

export function at(offsetMs: number): Date {
  return new Date(now.getTime() + offsetMs);
}

let serials = 0;
/** Distinct for every certificate of a test run, without randomness. */
export function nextSerial(): Buffer {
  serials++;
  return createHash('sha256').update(`serial ${serials}`).digest().subarray(0, 20);
}

export interface Ca {
  readonly key: SigningKey;
  readonly counterKey: SigningKey | undefined;
  readonly certificate: Certificate;
  readonly issuer: Issuer;
}

interface CaOptions {
  readonly name?: string;
  readonly trustDomain?: string;
  readonly algorithm?: IssuingAlgorithm;
  /** null: no second key. */
  readonly counterAlgorithm?: IssuingAlgorithm | null;
  readonly pathLen?: number;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export function makeRoot(options: CaOptions = {}): Ca {
  const { key, counterKey } = makeCaKeys(options);
  const der = issueRoot({
    key,
    ...(counterKey === undefined ? {} : { counterKey }),
    subject: { organization: 'Trellis', commonName: options.name ?? 'root' },
    trustDomain: options.trustDomain ?? trustDomain,
    serial: nextSerial(),
    notBefore: options.notBefore ?? at(-day),
    notAfter: options.notAfter ?? at(365 * day),
    ...(options.pathLen === undefined ? {} : { pathLen: options.pathLen }),
  });
  return assemble(der, key, counterKey);
}

export function makeIssuingCa(above: Ca, options: CaOptions = {}): Ca {
  const { key, counterKey } = makeCaKeys(options);
  const der = issueCa(above.issuer, {
    subjectKey: spkiDer(key),
    ...(counterKey === undefined ? {} : { counterKey: spkiDer(counterKey) }),
    subject: { organization: 'Trellis', commonName: options.name ?? 'issuing' },
    trustDomain: options.trustDomain ?? trustDomain,
    serial: nextSerial(),
    notBefore: options.notBefore ?? at(-hour),
    notAfter: options.notAfter ?? at(30 * day),
    ...(options.pathLen === undefined ? {} : { pathLen: options.pathLen }),
  });
  return assemble(der, key, counterKey);
}

export interface Leaf {
  readonly key: SigningKey;
  readonly certificate: Certificate;
}

export function makeLeaf(
  ca: Ca,
  options: {
    spiffeId?: string;
    key?: SigningKey;
    notBefore?: Date;
    notAfter?: Date;
    commonName?: string;
  } = {},
): Leaf {
  const key = options.key ?? generateSigningKey('ML-DSA-65');
  const der = issueSvid(ca.issuer, {
    subjectKey: spkiDer(key),
    spiffeId: options.spiffeId ?? spiffeId,
    serial: nextSerial(),
    notBefore: options.notBefore ?? at(-60 * second),
    notAfter: options.notAfter ?? at(hour),
    ...(options.commonName === undefined ? {} : { subject: { commonName: options.commonName } }),
  });
  return { key, certificate: parseCertificate(der) };
}

/** Runs the action and demands a CryptoError with this code, and for this reason where several share a code. */
export function expectCode(code: CryptoErrorCode, action: () => unknown, reason = ''): CryptoError {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(CryptoError);
  expect(thrown).toMatchObject({ code, message: expect.stringContaining(reason) });
  return thrown as CryptoError;
}

function makeCaKeys(options: CaOptions): { key: SigningKey; counterKey: SigningKey | undefined } {
  const counterAlgorithm = options.counterAlgorithm === undefined ? 'ECDSA-P256' : options.counterAlgorithm;
  return {
    key: generateSigningKey(options.algorithm ?? 'ML-DSA-65'),
    counterKey: counterAlgorithm === null ? undefined : generateSigningKey(counterAlgorithm),
  };
}

function assemble(der: Buffer, key: SigningKey, counterKey: SigningKey | undefined): Ca {
  const certificate = parseCertificate(der);
  const issuer = createIssuer({ certificate, key, ...(counterKey === undefined ? {} : { counterKey }) });
  return { key, counterKey, certificate, issuer };
}
