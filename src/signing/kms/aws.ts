// AWS KMS through its SDK. ML-DSA keys sign a message of up to 4,096 bytes as it is, and of a longer one μ; ECDSA keys
// sign a digest, as cosign has them do.

import { createHash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  GetPublicKeyCommand,
  type GetPublicKeyCommandOutput,
  type KeySpec,
  KMSClient,
  SignCommand,
  type SignCommandInput,
} from '@aws-sdk/client-kms';
import { type IssuingAlgorithm, signatureAlgorithms } from '../../crypto/algorithms.ts';
import { SigningError } from '../errors.ts';
import { type PublicKey, publicKeyFromSpki } from '../keys/public-key.ts';
import { externalMu } from './external-mu.ts';
import { firstLine, type KmsKey, type KmsOptions, type KmsSlot, kmsKeyError } from './service.ts';
import type { AwsKmsUri } from './uri.ts';

/** Of `Message` with MessageType RAW; the service's own limit. */
const maxRawMessageBytes = 4096;
/** A new key is not known everywhere at once; each look costs little. */
const readyIntervalMs = 500;
const aliasPrefix = 'alias/';

const keySpecs: Readonly<Record<IssuingAlgorithm, KeySpec>> = {
  'ML-DSA-65': 'ML_DSA_65',
  'ML-DSA-87': 'ML_DSA_87',
  'ECDSA-P256': 'ECC_NIST_P256',
  'ECDSA-P384': 'ECC_NIST_P384',
};

type Options = KmsOptions & Required<Pick<KmsOptions, 'sleep'>>;

export function awsSlot(uri: AwsKmsUri, options: Options): KmsSlot {
  const client = new KMSClient({
    ...(uri.endpoint === undefined ? {} : { endpoint: uri.endpoint }),
    ...(uri.region === undefined ? {} : { region: uri.region }),
    // The SDK's own agents know no proxies.
    requestHandler: {
      httpAgent: new HttpAgent({ keepAlive: true, proxyEnv: options.env }),
      httpsAgent: new HttpsAgent({ keepAlive: true, proxyEnv: options.env }),
    },
  });
  return {
    find: (signal) => find(client, uri.keyId, signal),
    create: (algorithm, signal) => create(client, uri, algorithm, options, signal),
  };
}

async function find(client: KMSClient, keyId: string, signal: AbortSignal): Promise<KmsKey | undefined> {
  try {
    const found = await client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal: signal });
    const publicKey = usablePublicKey(keyId, found);
    // The ARN rather than the alias: what signs later is what the public key was fetched of.
    const name = found.KeyId ?? keyId;
    return { publicKey, name, sign: (data, signing) => sign(client, name, publicKey, data, signing) };
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundException') return undefined;
    throw explained(error, keyId);
  }
}

function usablePublicKey(keyId: string, found: GetPublicKeyCommandOutput): PublicKey {
  if (found.KeyUsage !== 'SIGN_VERIFY' || found.PublicKey === undefined) {
    throw kmsKeyError(`the AWS KMS key ${keyId} is not for signing (${found.KeyUsage}): give one that is`);
  }
  const publicKey = readPublicKey(keyId, found.PublicKey);
  const wanted = Object.entries(keySpecs).find(([, spec]) => spec === found.KeySpec)?.[0];
  if (publicKey.algorithm !== wanted) {
    throw kmsKeyError(
      `the AWS KMS key ${keyId} is of ${found.KeySpec}; Trellis signs with ${Object.values(keySpecs).join(', ')}`,
    );
  }
  return publicKey;
}

function readPublicKey(keyId: string, spki: Uint8Array): PublicKey {
  try {
    return publicKeyFromSpki(spki);
  } catch (error) {
    throw kmsKeyError(`the public key of the AWS KMS key ${keyId}: ${firstLine(error)}`, error);
  }
}

async function sign(
  client: KMSClient,
  name: string,
  publicKey: PublicKey,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    const input = { KeyId: name, ...messageFor(publicKey, data) };
    const { Signature } = await client.send(new SignCommand(input), { abortSignal: signal });
    return Signature ?? new Uint8Array();
  } catch (error) {
    throw explained(error, name);
  }
}

type MessageInput = Pick<SignCommandInput, 'Message' | 'MessageType' | 'SigningAlgorithm'>;

function messageFor(
  { algorithm, spki }: PublicKey,
  data: Uint8Array,
): MessageInput & Required<Pick<SignCommandInput, 'Message' | 'SigningAlgorithm'>> {
  const { hash } = signatureAlgorithms[algorithm];
  if (hash !== null) {
    const digest = createHash(hash).update(data).digest();
    const SigningAlgorithm = hash === 'sha256' ? 'ECDSA_SHA_256' : 'ECDSA_SHA_384';
    return { Message: digest, MessageType: 'DIGEST', SigningAlgorithm };
  }
  if (data.length <= maxRawMessageBytes)
    return { Message: data, MessageType: 'RAW', SigningAlgorithm: 'ML_DSA_SHAKE_256' };
  return {
    Message: externalMu(spki, data),
    MessageType: 'EXTERNAL_MU',
    SigningAlgorithm: 'ML_DSA_SHAKE_256',
  };
}

/** The service names its keys itself: what can be made is a key with an alias. */
async function create(
  client: KMSClient,
  { keyId }: AwsKmsUri,
  algorithm: IssuingAlgorithm,
  { sleep }: Options,
  signal: AbortSignal,
): Promise<KmsKey> {
  if (!keyId.startsWith(aliasPrefix)) {
    throw kmsKeyError(
      `there is no AWS KMS key ${keyId}, and AWS chooses the ids of new ones: give awskms:///alias/NAME to create one`,
    );
  }
  const id = await createWithAlias(client, keyId, algorithm, signal);
  for (;;) {
    const key = await find(client, id, signal);
    if (key !== undefined) return key;
    await sleep(readyIntervalMs, signal);
  }
}

async function createWithAlias(
  client: KMSClient,
  alias: string,
  algorithm: IssuingAlgorithm,
  signal: AbortSignal,
): Promise<string> {
  let id: string | undefined;
  try {
    const made = await client.send(
      new CreateKeyCommand({
        KeySpec: keySpecs[algorithm],
        KeyUsage: 'SIGN_VERIFY',
        Description: `Trellis signing key (${algorithm})`,
      }),
      { abortSignal: signal },
    );
    id = made.KeyMetadata?.KeyId;
    if (id === undefined) throw kmsKeyError('AWS KMS made a key and did not say which');
    await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: id }), { abortSignal: signal });
    return id;
  } catch (error) {
    const { code, message } = explained(error, alias);
    const leftOver =
      id === undefined ? '' : `; the new key ${id} has no alias now: give it one, or schedule its deletion`;
    throw new SigningError(code, message + leftOver, error);
  }
}

/** What the SDK throws when it finds nothing to sign requests with, or no region to send them to. */
const credentialErrors: readonly string[] = [
  'CredentialsProviderError',
  'TokenProviderError',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'InvalidClientTokenId',
  'ExpiredTokenException',
  'IncompleteSignature',
];
/** Client errors by their status, that go away. */
const passingErrors: readonly string[] = [
  'ThrottlingException',
  'LimitExceededException',
  'TooManyRequestsException',
];

function explained(error: unknown, keyId: string): SigningError {
  if (error instanceof SigningError) return error;
  const name = error instanceof Error ? error.name : '';
  const text = `AWS KMS, key ${keyId}: ${name === 'Error' ? '' : `${name}: `}${firstLine(error)}`;
  if (credentialErrors.includes(name) || /region is missing/i.test(firstLine(error))) {
    return new SigningError(
      'ERR_KMS_CREDENTIALS',
      `${text}; set AWS_REGION and credentials as for the aws command line`,
      error,
    );
  }
  const status = statusOf(error);
  if (status !== undefined && status >= 400 && status < 500 && !passingErrors.includes(name))
    return kmsKeyError(`${text}; check the key's state and policy`, error);
  return new SigningError('ERR_KMS_UNAVAILABLE', `${text}; try again`, error);
}

function statusOf(error: unknown): number | undefined {
  const metadata = error instanceof Error && '$metadata' in error ? error.$metadata : undefined;
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? metadata.httpStatusCode
      : undefined;
  return typeof status === 'number' ? status : undefined;
}
