// A CA kept in a local directory:
//
//   <dir>/root/certificate.pem   public
//   <dir>/root/key.pem           ML-DSA root key
//   <dir>/root/counter-key.pem   ECDSA counter-signing key
//
// The set comes into being by one rename of a finished directory: a crash, a full disk or a second process leaves
// either no root or a whole one. Once `root` exists it is only ever read.

import { join } from 'node:path';
import { assembleCa, type CaFiles, type CertificateAuthority, createCaFiles } from './ca.ts';
import { IdentityError } from './errors.ts';
import {
  checkPrivateDirectory,
  ensurePrivateDirectory,
  explained,
  isSystemError,
  nodeStorage,
  orMissing,
  privateDirectoryMode,
  readPrivateFile,
  type Storage,
  sweepTemporaries,
  syncDirectory,
  temporaryPath,
  writeNewPrivateFile,
} from './private-files.ts';

const rootName = 'root';
const fileNames: Readonly<Record<keyof CaFiles, string>> = {
  certificate: 'certificate.pem',
  key: 'key.pem',
  counterKey: 'counter-key.pem',
};

/** A root certificate with both signatures has about 8 KB as PEM. */
const maxCaFileBytes = 64 * 1024;

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
  const { dir, trustDomain, now, storage = nodeStorage } = options;
  await ensurePrivateDirectory(storage, dir);
  await sweepTemporaries(storage, dir, now);
  const root = join(dir, rootName);
  const created = !(await exists(storage, root)) && (await createRoot(storage, root, options));
  const ca = assembleCa(await readFiles(storage, root), trustDomain, now, root);
  return { ca, created };
}

/** Returns false when another process was faster. */
async function createRoot(
  storage: Storage,
  root: string,
  { dir, trustDomain, now }: CaDirectoryOptions,
): Promise<boolean> {
  const files = createCaFiles({ trustDomain, now, randomBytes: storage.randomBytes });
  const unfinished = temporaryPath(storage, dir);
  try {
    await storage.fs.mkdir(unfinished, { mode: privateDirectoryMode });
    for (const part of ['certificate', 'key', 'counterKey'] as const) {
      await writeNewPrivateFile(storage, join(unfinished, fileNames[part]), files[part]);
    }
    await syncDirectory(storage, unfinished);
    await storage.fs.rename(unfinished, root);
  } catch (error) {
    // The first error is the one to tell.
    await storage.fs.rm(unfinished, { recursive: true, force: true }).catch(() => {});
    // rename() replaces no directory that has something in it; and the winner may have swept ours away.
    if (isSystemError(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT') && (await exists(storage, root))) return false;
    throw explained(error, root);
  }
  await syncDirectory(storage, dir);
  return true;
}

async function readFiles(storage: Storage, root: string): Promise<CaFiles> {
  await checkPrivateDirectory(storage, root);
  const read = async (part: keyof CaFiles): Promise<string> => {
    const path = join(root, fileNames[part]);
    const content = await readPrivateFile(storage, path, maxCaFileBytes).catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
      throw new IdentityError('ERR_CA_CORRUPT', `${error.message}: restore the CA's files from a backup`);
    });
    if (content !== undefined) return content.toString('latin1');
    throw new IdentityError(
      'ERR_CA_INCOMPLETE',
      `${path} is missing: restore the CA's three files from one backup. Trellis never makes a new root over an old one; to begin anew, with every agent, move ${root} away`,
    );
  };
  return {
    certificate: await read('certificate'),
    key: await read('key'),
    counterKey: await read('counterKey'),
  };
}

async function exists(storage: Storage, path: string): Promise<boolean> {
  return (await orMissing(storage.fs.lstat(path))) !== undefined;
}
