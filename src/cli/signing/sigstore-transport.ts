// How commands reach Sigstore's services: through the proxies of the environment, as they reach registries.

import { EnvHttpProxyAgent } from 'undici';
import type { Transport } from '../../signing/keyless/service.ts';

export function sigstoreTransport(): Transport {
  return { dispatcher: new EnvHttpProxyAgent() };
}
