// Names of keys in key management services, spelled as cosign spells them.

import { SigningError } from '../errors.ts';

export interface AwsKmsUri {
  readonly service: 'aws';
  /** https URL of another endpoint than the region's own, such as a VPC endpoint. */
  readonly endpoint: string | undefined;
  /** Key id, key ARN, alias name (`alias/…`) or alias ARN. */
  readonly keyId: string;
  /** Of an ARN, which names it. */
  readonly region: string | undefined;
}

export interface GoogleKmsUri {
  readonly service: 'google';
  /** projects/P/locations/L/keyRings/R */
  readonly keyRing: string;
  readonly key: string;
  /** Undefined: the newest enabled one. */
  readonly version: string | undefined;
}

export type KmsUri = AwsKmsUri | GoogleKmsUri;

const awsScheme = 'awskms://';
const googleScheme = 'gcpkms://';

/** The longest is an AWS endpoint with the ARN of an alias: host 255, alias 256. */
const maxUriLength = 1024;

const uuid = '(?:mrk-)?[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}';
// Multi-Region keys are "mrk-" and 32 digits without hyphens.
const keyName = `(?:key/${uuid})`;
const aliasName = '(?:alias/[A-Za-z0-9/_-]{1,250})';
const arnPattern = new RegExp(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:(?:${keyName}|${aliasName})$`);
const bareKeyPattern = new RegExp(`^(?:${uuid}|${aliasName})$`);
const hostPattern = /^(?:[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

const segment = '[A-Za-z0-9_-]{1,63}';
// Project ids of the old kind name their domain: "example.com:project".
const googlePattern = new RegExp(
  `^(projects/[A-Za-z0-9._:-]{1,128}/locations/${segment}/keyRings/${segment})/cryptoKeys/(${segment})` +
    '(?:/(?:versions|cryptoKeyVersions)/([1-9][0-9]{0,14}))?$',
);

/** True for what names a key in a service rather than a file. Says nothing about whether it is well formed. */
export function isKmsUri(text: string): boolean {
  return /^[a-z0-9]+kms:\/\//.test(text);
}

/**
 * `awskms://[HOST[:PORT]]/KEY` with a key id, `alias/NAME` or an ARN;
 * `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/versions/N]`, where `cryptoKeyVersions` does too.
 * @throws SigningError ERR_KMS_URI_INVALID
 */
export function parseKmsUri(text: string): KmsUri {
  if (text.length > maxUriLength) throw invalid(`it is longer than ${maxUriLength} characters`);
  if (text.startsWith(awsScheme)) return parseAws(text.slice(awsScheme.length), text);
  if (text.startsWith(googleScheme)) return parseGoogle(text.slice(googleScheme.length), text);
  throw invalid(`${text}: Trellis signs with keys in awskms:// (AWS KMS) and gcpkms:// (Google Cloud KMS)`);
}

function parseAws(rest: string, text: string): AwsKmsUri {
  const slash = rest.indexOf('/');
  const host = rest.slice(0, Math.max(slash, 0));
  const keyId = rest.slice(slash + 1);
  const arn = arnPattern.exec(keyId);
  if (
    slash < 0 ||
    (host !== '' && !hostPattern.test(host)) ||
    (arn === null && !bareKeyPattern.test(keyId))
  ) {
    throw invalid(
      `${text}: write awskms:///alias/NAME, awskms:///KEY-ID or awskms:///arn:aws:kms:…, with HOST:PORT before the third slash for another endpoint`,
    );
  }
  return {
    service: 'aws',
    endpoint: host === '' ? undefined : `https://${host}`,
    keyId,
    region: arn?.[1],
  };
}

function parseGoogle(rest: string, text: string): GoogleKmsUri {
  const [, keyRing, key, version] = googlePattern.exec(rest) ?? [];
  if (keyRing === undefined || key === undefined) {
    throw invalid(
      `${text}: write gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY, with /versions/NUMBER for a certain version`,
    );
  }
  return { service: 'google', keyRing, key, version };
}

function invalid(why: string): SigningError {
  return new SigningError('ERR_KMS_URI_INVALID', `not the name of a key in a key management service: ${why}`);
}
