// A CA kept in a local directory:
//
//   <dir>/root/certificate.pem   public
//   <dir>/root/key.pem           ML-DSA root key
//   <dir>/root/counter-key.pem   ECDSA counter-signing key

import { assembleCa, type CertificateAuthority, createCaFiles } from './ca.ts';
import { IdentityError } from './errors.ts';
import type { Storage } from './private-files.ts';
import { openPrivateSet } from './private-set.ts';

export interface CaDirectoryOptions {
  readonly dir: string;
  readonly trustDomain: string;
  readonly now: Date;
  readonly storage?: Storage;
}

export interface OpenedCa {
  readonly ca: CertificateAuthority;
  /** True when this call made the root. */
  readonly created: boolean;
}

/**
 * Reads the CA of a directory, or makes one when the directory has none. Of several processes that start at once, one
 * makes the root and the others read it.
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_CA_INCOMPLETE, ERR_CA_CORRUPT, ERR_CA_TRUST_DOMAIN,
 *   ERR_CA_EXPIRED, ERR_CA_NOT_YET_VALID, ERR_STORAGE_FULL
 */
export async function openCaDirectory(options: CaDirectoryOptions): Promise<OpenedCa> {
  const { dir, trustDomain, now, storage } = options;
  const { path, files, created } = await openPrivateSet({
    dir,
    name: 'root',
    fileNames: { certificate: 'certificate.pem', key: 'key.pem', counterKey: 'counter-key.pem' },
    now,
    storage,
    make: ({ randomBytes }) => createCaFiles({ trustDomain, now, randomBytes }),
    incomplete: (file, set) =>
      new IdentityError(
        'ERR_CA_INCOMPLETE',
        `${file} is missing: restore the CA's three files from one backup. Trellis never makes a new root over an old one; to begin anew, with every agent, move ${set} away`,
      ),
    corrupt: (reason) =>
      new IdentityError('ERR_CA_CORRUPT', `${reason}: restore the CA's files from a backup`),
  });
  return { ca: assembleCa(files, trustDomain, now, path), created };
}
