// A certificate of the user's own, in files: a Secret of cert-manager, say, that the kubelet mounts and renews in place.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fromPem } from '../../crypto/pem.ts';
import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import { shortenChars } from '../shorten.ts';
import { CertificateError } from './errors.ts';
import { ServingHolder, type ServingPair, type ServingSource } from './serving-pair.ts';

export type FileWarning =
  /** It is served, and API servers will refuse it; `wrong-name`: those that call through the Service. */
  { readonly kind: 'expired' | 'not-yet-valid' | 'wrong-name' | 'wrong-algorithm'; readonly message: string };

export interface CertificateFilesOptions {
  /** PEM: the certificate first, then those between it and its CA. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly key: string;
  /** DNS name that API servers ask for when they call through a Service. */
  readonly serviceName: string;
  readonly signal: AbortSignal;
  readonly report: {
    /** Other files are there and cannot be served; what was served goes on being served. */
    readonly failed: (error: CertificateError) => void;
    /** Every round in which it holds. */
    readonly warning: (warning: FileWarning) => void;
    readonly changed: () => void;
    readonly expiry: (certificate: 'leaf', notAfter: Date) => void;
  };
  readonly clock?: Clock;
  readonly pollMs?: number;
}

export interface CertificateFiles {
  readonly source: ServingSource;
  readonly ended: Promise<void>;
}

/** The kubelet takes a minute or two to bring a renewed Secret into a pod: looking more often finds nothing sooner. */
const defaultPollMs = 10_000;
const maxFileBytes = 256 * 1024;

/** @throws CertificateError ERR_SERVING_CERTIFICATE_FILES when there is nothing to begin with */
export async function watchCertificateFiles(options: CertificateFilesOptions): Promise<CertificateFiles> {
  const { clock = systemClock, pollMs = defaultPollMs, report, signal } = options;
  const first = await read(options);
  const holder = new ServingHolder(first.pair);
  let served = first;
  const look = (): void => {
    report.expiry('leaf', served.leaf.validToDate);
    for (const warning of warningsOf(served, options.serviceName, clock.now())) report.warning(warning);
  };
  look();
  const run = async (): Promise<void> => {
    let failure: string | undefined;
    for (;;) {
      await clock.sleep(pollMs, signal);
      if (signal.aborted) return;
      try {
        const found = await read(options);
        failure = undefined;
        if (found.pair.certificate !== served.pair.certificate || found.pair.key !== served.pair.key) {
          served = found;
          holder.set(found.pair);
          report.changed();
        }
      } catch (error) {
        if (!(error instanceof CertificateError)) throw error;
        // The first time it may be that one of two files was written before the other.
        if (failure === error.message) report.failed(error);
        failure = error.message;
      }
      look();
    }
  };
  return { source: holder, ended: run() };
}

interface Found {
  readonly pair: ServingPair;
  readonly leaf: X509Certificate;
}

async function read({ certificate, key }: CertificateFilesOptions): Promise<Found> {
  const pair = { certificate: await readText(certificate), key: await readText(key) };
  const leaf = attempt(certificate, 'holds no certificate in PEM', () => {
    const all = fromPem(pair.certificate, 'CERTIFICATE').map((der) => new X509Certificate(der));
    return all[0] as X509Certificate;
  });
  const privateKey = attempt(key, 'holds no unencrypted private key in PEM', () =>
    createPrivateKey(pair.key),
  );
  if (!belongs(leaf, privateKey)) throw refusal(key, `is not the key of the certificate in ${certificate}`);
  return { pair, leaf };
}

async function readText(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw refusal(file, `cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'})`);
  }
  if (text.length > maxFileBytes) throw refusal(file, `has more than ${maxFileBytes} bytes`);
  return text;
}

/** The cause may quote what it could not read, and one of the two is a key. */
function attempt<T>(file: string, problem: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw refusal(file, problem);
  }
}

function belongs(leaf: X509Certificate, key: KeyObject): boolean {
  try {
    return leaf.checkPrivateKey(key);
  } catch {
    return false;
  }
}

function refusal(file: string, problem: string): CertificateError {
  return new CertificateError('ERR_SERVING_CERTIFICATE_FILES', `${file} ${problem}; write it anew`);
}

/** A certificate can have hundreds. */
const maxNamesChars = 500;

/** What API servers verify with: Go's crypto/tls has these. */
const verifiableKeys: readonly (string | undefined)[] = ['rsa', 'ec', 'ed25519'];

function warningsOf({ leaf }: Found, serviceName: string, now: Date): FileWarning[] {
  const warnings: FileWarning[] = [];
  const warn = (kind: FileWarning['kind'], problem: string): void => {
    const message = `the serving certificate ${problem}: API servers refuse it, and nothing is admitted; replace it`;
    warnings.push({ kind, message });
  };
  if (now > leaf.validToDate) warn('expired', `ended at ${leaf.validToDate.toISOString()}`);
  if (now < leaf.validFromDate) warn('not-yet-valid', `begins at ${leaf.validFromDate.toISOString()}`);
  if (leaf.checkHost(serviceName, { subject: 'never' }) === undefined) {
    const names = shortenChars(leaf.subjectAltName ?? 'no name', maxNamesChars);
    warnings.push({
      kind: 'wrong-name',
      message: `the serving certificate is for ${names}, and not for ${serviceName}: API servers that call through that Service refuse it; those that are given a URL ask for the name in the URL`,
    });
  }
  const { asymmetricKeyType } = leaf.publicKey;
  if (!verifiableKeys.includes(asymmetricKeyType))
    warn('wrong-algorithm', `has a key of ${asymmetricKeyType}`);
  return warnings;
}
