// Keys by what users write: the path of a file, `env://NAME` for a file's text in an environment variable, or the URI of
// a key in a key management service.

import { SigningError } from '../errors.ts';
import { openKmsPublicKey, openKmsSigner } from '../kms/open.ts';
import type { KmsOptions } from '../kms/service.ts';
import { isKmsUri } from '../kms/uri.ts';
import { readPrivateFile, readPublicKeyFile } from './files.ts';
import { decryptKeyFile } from './key-file.ts';
import { type PublicKey, publicKeyFromPem } from './public-key.ts';
import { localSigner, type Signer } from './signer.ts';

export interface KeyAccess {
  /** Of the process: variables of `env://`, and where key management services are. */
  readonly env: NodeJS.ProcessEnv;
  /** Asked only when a key file is opened. */
  readonly password: () => Promise<string>;
  readonly kms?: Omit<KmsOptions, 'env'>;
  readonly signal?: AbortSignal | undefined;
}

const envScheme = 'env://';

/**
 * The signer of a key file that trellis or cosign wrote, or of a key in a service (`awskms://`, `gcpkms://`).
 * @throws SigningError ERR_KEY_FILE_*, ERR_KMS_*; the file system's own errors, and those of `password`
 */
export async function openSigner(uriOrPath: string, access: KeyAccess): Promise<Signer> {
  if (isKmsUri(uriOrPath)) return await openKmsSigner(uriOrPath, kmsOptions(access), access.signal);
  const pem = fromEnvironment(uriOrPath, access.env, 'ERR_KEY_FILE_INVALID');
  const text = pem ?? (await readPrivateFile(uriOrPath).catch((error) => publicInstead(uriOrPath, error)));
  return localSigner(await decryptKeyFile(text, await access.password()));
}

/**
 * The public key in a PEM file, or of a key in a service.
 * @throws SigningError ERR_PUBLIC_KEY_INVALID, ERR_KMS_*; the file system's own errors
 */
export async function openPublicKey(
  uriOrPath: string,
  access: Omit<KeyAccess, 'password'>,
): Promise<PublicKey> {
  if (isKmsUri(uriOrPath)) return await openKmsPublicKey(uriOrPath, kmsOptions(access), access.signal);
  const pem = fromEnvironment(uriOrPath, access.env, 'ERR_PUBLIC_KEY_INVALID');
  const text = pem ?? (await readPublicKeyFile(uriOrPath));
  if (!text.includes('PRIVATE KEY-----')) return publicKeyFromPem(text);
  throw new SigningError(
    'ERR_PUBLIC_KEY_INVALID',
    `${uriOrPath} is a private key: give the public one, the .pub file beside it, and keep this one to those who sign`,
  );
}

/** A public key may be open to others: that is not what is wrong with it here. */
async function publicInstead(path: string, error: unknown): Promise<never> {
  const isOpen = error instanceof SigningError && error.code === 'ERR_KEY_FILE_NOT_PRIVATE';
  if (!isOpen || !(await readPublicKeyFile(path)).includes('PUBLIC KEY-----')) throw error;
  throw new SigningError('ERR_KEY_FILE_INVALID', `${path} is a public key: give the .key file beside it`);
}

function kmsOptions({ env, kms }: Omit<KeyAccess, 'password'>): KmsOptions {
  return { ...kms, env };
}

function fromEnvironment(
  uri: string,
  env: NodeJS.ProcessEnv,
  code: 'ERR_KEY_FILE_INVALID' | 'ERR_PUBLIC_KEY_INVALID',
): string | undefined {
  if (!uri.startsWith(envScheme)) return undefined;
  const name = uri.slice(envScheme.length);
  const text = env[name];
  if (text !== undefined && text !== '') return text;
  throw new SigningError(
    code,
    `there is no key in the environment variable ${name}: set it to the text of the key file`,
  );
}
