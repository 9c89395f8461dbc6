// Is the caller's certificate counter-signed? Envoy verifies the ML-DSA signatures of a certificate and ignores the ECDSA
// one (ITU-T X.509 §9.8) that the mesh's CA puts beside it; where a policy says `hybrid`, both must hold.

import { LRUCache } from 'lru-cache';
import { CryptoError } from '../crypto/errors.ts';
import { fromPemOne } from '../crypto/pem.ts';
import { type Certificate, parseCertificate } from '../crypto/x509/certificate.ts';
import { verifyCounterSignedPath } from '../crypto/x509/counter-signature.ts';
import { validatePath } from '../crypto/x509/path.ts';
import type { CounterSignatureCause } from './causes.ts';

/** A workload is called by some hundreds of others at most; each certificate is remembered whole, some 9 KB. */
const maxRemembered = 512;
/**
 * The certificates are told apart by their beginnings, in which the serial number stands, and then byte by byte: to hash
 * 8 KB takes forty times as long as to compare them.
 */
const prefixBytes = 160;

interface Judged {
  readonly certificate: Buffer;
  readonly cause: CounterSignatureCause | undefined;
  /** Milliseconds; the judgement is good until then. */
  readonly notAfter: number;
}

export interface CounterSignatureOptions {
  /** The workload's own trust bundle: a new object whenever it changes. */
  readonly anchors: () => readonly Certificate[];
  readonly trustDomain: string;
  readonly now: () => Date;
}

export class CounterSignatureCheck {
  readonly #options: CounterSignatureOptions;
  readonly #judged = new LRUCache<string, Judged>({ max: maxRemembered });
  #anchors: readonly Certificate[] | undefined;

  constructor(options: CounterSignatureOptions) {
    this.#options = options;
  }

  /**
   * Judges a certificate as Envoy sends it: PEM, URL-encoded. The issuer is looked up in the workload's own bundle alone.
   * @returns what is wrong with it; undefined: nothing
   */
  judge(encoded: Buffer): CounterSignatureCause | undefined {
    if (encoded.length === 0) return 'counter-signature-missing';
    const anchors = this.#options.anchors();
    if (anchors !== this.#anchors) {
      this.#judged.clear();
      this.#anchors = anchors;
    }
    const now = this.#options.now();
    const key = encoded.toString('latin1', 0, prefixBytes);
    const known = this.#judged.get(key);
    if (known?.certificate.equals(encoded) === true && now.getTime() <= known.notAfter) return known.cause;
    const judged = this.#verify(encoded, anchors, now);
    this.#judged.set(key, judged);
    return judged.cause;
  }

  #verify(encoded: Buffer, anchors: readonly Certificate[], now: Date): Judged {
    // The caller's buffer is only its own until it answers.
    const certificate = Buffer.from(encoded);
    try {
      const leaf = parseCertificate(
        fromPemOne(decodeURIComponent(encoded.toString('latin1')), 'CERTIFICATE'),
      );
      const { trustDomain } = this.#options;
      verifyCounterSignedPath(
        validatePath({ leaf, intermediates: [], anchors, now, purpose: 'client', trustDomain }),
      );
      return { certificate, cause: undefined, notAfter: leaf.notAfter.getTime() };
    } catch (error) {
      // A certificate that is out of its time now may be in it when the clock has been put right.
      return {
        certificate,
        cause: causeOf(error),
        notAfter: isLasting(error) ? Number.POSITIVE_INFINITY : 0,
      };
    }
  }
}

function causeOf(error: unknown): CounterSignatureCause {
  const missing = error instanceof CryptoError && error.code === 'ERR_COUNTER_SIGNATURE_MISSING';
  return missing ? 'counter-signature-missing' : 'counter-signature-invalid';
}

const timeErrors: ReadonlySet<string> = new Set(['ERR_CERT_NOT_YET_VALID', 'ERR_CERT_EXPIRED']);

function isLasting(error: unknown): boolean {
  return !(error instanceof CryptoError && timeErrors.has(error.code));
}
