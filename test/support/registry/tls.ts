// A private CA and a certificate of it for registries on this machine.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bitString,
  derTrue,
  explicit,
  implicitPrimitive,
  octetString,
  oid,
  sequence,
  smallInteger,
  time,
  unsignedInteger,
} from '../../../src/crypto/der/write.ts';
import { toPem } from '../../../src/crypto/pem.ts';
import { caConstraintsExtension } from '../../../src/crypto/x509/extension-writer.ts';
import { encodeName } from '../../../src/crypto/x509/name.ts';
import { onEnd } from '../cleanup.ts';

export interface TlsFiles {
  /** PEM of the CA, and where it is. */
  readonly ca: string;
  readonly caFile: string;
  readonly cert: string;
  readonly certFile: string;
  readonly key: string;
  readonly keyFile: string;
}

/** For 127.0.0.1, ::1, localhost and these DNS names; the files are removed with the test. */
export async function makeTls(...names: readonly string[]): Promise<TlsFiles> {
  const [caKeys, keys] = [newKeys(), newKeys()];
  const authority = encodeName({ commonName: 'Test registry CA' });
  const ca = certificate(caKeys.privateKey, authority, authority, caKeys.publicKey, [
    caConstraintsExtension(0),
  ]);
  const subject = encodeName({ commonName: 'Test registry' });
  const leaf = certificate(caKeys.privateKey, authority, subject, keys.publicKey, [alternatives(names)]);
  const pem = {
    ca: toPem('CERTIFICATE', ca),
    cert: toPem('CERTIFICATE', leaf),
    key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
  const directory = await mkdtemp(join(tmpdir(), 'trellis-registry-tls-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  return {
    ...pem,
    caFile: await write('ca.pem', pem.ca),
    certFile: await write('cert.pem', pem.cert),
    keyFile: await write('key.pem', pem.key),
  };
}

interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function newKeys(): Keys {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));
const hourMs = 3_600_000;

function certificate(
  signer: KeyObject,
  issuer: Uint8Array,
  subject: Uint8Array,
  key: KeyObject,
  extensions: readonly Uint8Array[],
): Buffer {
  const toBeSigned = sequence(
    explicit(0, smallInteger(2)),
    unsignedInteger(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ecdsaWithSha256,
    issuer,
    sequence(time(new Date(Date.now() - hourMs)), time(new Date(Date.now() + 24 * hourMs))),
    subject,
    key.export({ format: 'der', type: 'spki' }),
    explicit(3, sequence(...extensions)),
  );
  return sequence(toBeSigned, ecdsaWithSha256, bitString(sign('sha256', toBeSigned, signer)));
}

const [dnsName, ipAddress] = [2, 7];

function alternatives(names: readonly string[]): Buffer {
  const general = [
    implicitPrimitive(ipAddress, Buffer.of(127, 0, 0, 1)),
    implicitPrimitive(ipAddress, Buffer.from('1'.padStart(32, '0'), 'hex')),
    ...['localhost', ...names].map((name) => implicitPrimitive(dnsName, Buffer.from(name, 'latin1'))),
  ];
  return sequence(oid('2.5.29.17'), derTrue, octetString(sequence(...general)));
}
