// How commands reach Sigstore's services: through the proxies of the environment, by the same rules as registries. Certificate
// authorities are those of Node.js (NODE_EXTRA_CA_CERTS adds to them): whom one believes a registry's name need not be whom one
// hands an identity token.

import { Agent, Pool, ProxyAgent } from 'undici';
import { proxiesOf } from '../../registry/http/proxy.ts';
import type { Transport } from '../../signing/services/request.ts';

/** One for a command, which closes it in the end. */
export interface SigstoreTransport extends Transport {
  close(): Promise<void>;
}

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION for a variable that is no proxy's address */
export function sigstoreTransport(env: NodeJS.ProcessEnv = process.env): SigstoreTransport {
  const proxyFor = proxiesOf(env);
  const dispatcher = new Agent({
    factory: (origin, options) => {
      const proxy = proxyFor(new URL(origin));
      return proxy === undefined ? new Pool(origin, options) : new ProxyAgent({ uri: proxy.href });
    },
  });
  return { dispatcher, close: () => dispatcher.destroy() };
}
