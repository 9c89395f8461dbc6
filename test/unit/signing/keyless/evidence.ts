// One keyless signature and all that vouches for it, each part right unless a test says otherwise.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { toPem } from '../../../../src/crypto/pem.ts';
import { type Bundle, parseBundle } from '../../../../src/signing/format/bundle.ts';
import { payloadType } from '../../../../src/signing/format/dsse.ts';
import { parseTrustedRoot, type TrustedRoot } from '../../../../src/signing/keyless/trusted-root.ts';
import {
  bundleEntry,
  type ForgedAuthority,
  forgeAuthority,
  forgeBundle,
  forgeLeaf,
  type LeafOptions,
  type RekorEntry,
  sha256,
  signPayload,
} from '../../../support/sigstore/forge.ts';
import { startSigstore, type TestSigstore, type TrustedRootJson } from '../../../support/sigstore.ts';

export interface EvidenceChanges {
  readonly leaf?: Partial<LeafOptions>;
  /** In place of the leaf that would be made. */
  readonly certificate?: Buffer;
  readonly key?: KeyObject;
  readonly signature?: Buffer;
  /** In place of the one log entry; none when empty. */
  readonly entries?: (made: EvidenceParts) => Promise<readonly Record<string, unknown>[]>;
  /** None unless given. */
  readonly timestamps?: (made: EvidenceParts) => Promise<readonly Buffer[]>;
}

export interface EvidenceParts {
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly certificate: Buffer;
}

export interface World {
  readonly sigstore: TestSigstore;
  readonly root: ForgedAuthority;
  readonly intermediate: ForgedAuthority;
  trust(change?: (root: TrustedRootJson) => void, chain?: readonly ForgedAuthority[]): TrustedRoot;
  bundle(changes?: EvidenceChanges): Promise<Bundle>;
  /** The log's entry for these parts, or for any body. */
  log(body: object): Promise<RekorEntry>;
}

export const payload: Buffer = Buffer.from('{"_type":"https://in-toto.io/Statement/v1","predicate":{}}');

export async function startWorld(): Promise<World> {
  const sigstore = await startSigstore();
  const root = await forgeAuthority({ name: 'CN=root' });
  const intermediate = await forgeAuthority({ name: 'CN=intermediate', issuer: root });
  return {
    sigstore,
    root,
    intermediate,
    log: (body) => sigstore.log(body),
    trust: (change = () => {}, chain = [intermediate, root]) =>
      parseTrustedRoot(
        sigstore.trustedRoot((json) => {
          json.certificateAuthorities = json.certificateAuthorities.map((authority) => ({
            ...authority,
            certChain: {
              certificates: chain.map(({ certificate }) => ({ rawBytes: certificate.toString('base64') })),
            },
          }));
          change(json);
        }),
      ),
    bundle: async (changes = {}) => {
      const key = changes.key ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
      const authority = changes.leaf?.authority ?? intermediate;
      const certificate =
        changes.certificate ?? (await forgeLeaf({ authority, key, ctlog: sigstore.ctlog, ...changes.leaf }));
      const signature = changes.signature ?? signPayload(key, payload);
      const parts = { payload, signature, certificate };
      const entries = changes.entries ?? (async () => [bundleEntry(await sigstore.log(intotoBody(parts)))]);
      return parseBundle(
        forgeBundle({
          ...parts,
          entries: await entries(parts),
          timestamps: (await changes.timestamps?.(parts)) ?? [],
        }),
      );
    },
  };
}

/** What Rekor v1 keeps of an intoto entry. */
export function intotoBody({ payload: bytes, signature, certificate }: EvidenceParts): object {
  const twice = (data: Uint8Array) => base64(Buffer.from(base64(data)));
  return {
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: {
          payloadType,
          signatures: [{ sig: twice(signature), publicKey: base64(Buffer.from(pem(certificate))) }],
        },
        hash: { algorithm: 'sha256', value: '00'.repeat(32) },
        payloadHash: { algorithm: 'sha256', value: sha256(bytes).toString('hex') },
      },
    },
  };
}

/** What Rekor v1 keeps of a dsse entry. */
export function dsseBody({ payload: bytes, signature, certificate }: EvidenceParts): object {
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      payloadHash: { algorithm: 'sha256', value: sha256(bytes).toString('hex') },
      signatures: [{ signature: base64(signature), verifier: base64(Buffer.from(pem(certificate))) }],
    },
  };
}

/** What Rekor v2 keeps of a dsse entry. */
export function dsseV2Body({ payload: bytes, signature, certificate }: EvidenceParts): object {
  return {
    apiVersion: '0.0.2',
    kind: 'dsse',
    spec: {
      dsseV002: {
        payloadHash: { algorithm: 'SHA2_256', digest: sha256(bytes).toString('base64') },
        signatures: [
          {
            content: base64(signature),
            verifier: {
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
              x509Certificate: { rawBytes: base64(certificate) },
            },
          },
        ],
      },
    },
  };
}

function pem(certificate: Uint8Array): string {
  return toPem('CERTIFICATE', certificate);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
