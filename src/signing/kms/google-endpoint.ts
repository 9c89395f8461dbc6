import { isIPv4, isIPv6 } from 'node:net';
import { SigningError } from '../errors.ts';

/** The variable that gcloud reads for the same purpose: Private Service Connect, or an emulator on this machine. */
const endpointVariable = 'CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS';

export interface GoogleEndpoint {
  readonly apiEndpoint: string;
  readonly port: number;
  readonly protocol: 'https' | 'http';
}

/**
 * Where to send requests instead of cloudkms.googleapis.com; nothing when the variable is not set.
 * @throws SigningError ERR_KMS_URI_INVALID
 */
export function checkedEndpoint(env: NodeJS.ProcessEnv): GoogleEndpoint | Record<string, never> {
  const text = env[endpointVariable];
  if (text === undefined || text === '') return {};
  const url = URL.parse(text);
  const secure = url?.protocol === 'https:';
  if (url === null || (!secure && url.protocol !== 'http:') || url.pathname !== '/' || url.username !== '') {
    throw invalid('write https://HOST or https://HOST:PORT');
  }
  // Requests carry an access token.
  if (!secure && !isLoopback(url.hostname)) throw invalid('http is for this machine only: write https://…');
  return {
    apiEndpoint: url.hostname,
    port: Number(url.port) || (secure ? 443 : 80),
    protocol: secure ? 'https' : 'http',
  };
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return (
    host === 'localhost' || (isIPv4(bare) && bare.startsWith('127.')) || (isIPv6(bare) && bare === '::1')
  );
}

function invalid(why: string): SigningError {
  return new SigningError('ERR_KMS_URI_INVALID', `${endpointVariable} is not a usable endpoint: ${why}`);
}
