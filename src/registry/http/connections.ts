// Connections to registries: TLS with the private CA, through proxies, and only to where they may go.

import { getCACertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import { checkLiteral, checkScheme, type DestinationRules, guardedLookup, type Zone } from './destination.ts';
import type { ProxyFor } from './proxy.ts';
import { createWaiting } from './waiting.ts';

export interface ConnectionOptions {
  /** PEM of CAs that count beside those of Node.js. */
  readonly ca: string | undefined;
  readonly proxyFor: ProxyFor;
  readonly rules: DestinationRules;
  readonly connectMs: number;
}

export interface Connections {
  /**
   * What sends a request to that URL.
   * @throws RegistryError ERR_REGISTRY_PLAIN_HTTP, ERR_REGISTRY_ADDRESS when it must not be sent
   */
  to(url: URL, zone: Zone): Dispatcher;
  /** A request waits for an answer from there; looking for its host ends with the last one that does. @returns what to call when that is over */
  wait(url: URL): () => void;
  close(): Promise<void>;
}

export function createConnections(options: ConnectionOptions): Connections {
  const { rules, proxyFor, connectMs } = options;
  const tls = options.ca === undefined ? {} : { ca: [...getCACertificates('default'), options.ca] };
  const open = new Map<string, Dispatcher>();
  const waiting = createWaiting();
  // HTTP/2 is left out: requests are few, and with it the ways to keep us busy. Connections are as many as requests: who
  // sends them counts them.
  const shared = { pipelining: 1, allowH2: false };

  function direct(zone: Zone): Dispatcher {
    const connect = buildConnector({
      ...tls,
      allowH2: false,
      timeout: connectMs,
      lookup: guardedLookup(zone, rules, waiting.signalOf),
    });
    return new Agent({ ...shared, connect });
  }

  // The proxy is the operator's choice and resolves names itself: of the destination only the URL can be checked.
  function through(proxy: URL): Dispatcher {
    return new ProxyAgent({
      ...shared,
      uri: proxy.href,
      requestTls: { ...tls, timeout: connectMs },
      proxyTls: { ...tls, timeout: connectMs },
    });
  }

  return {
    to: (url, zone) => {
      checkScheme(url, zone, rules);
      checkLiteral(url, zone, rules);
      const proxy = proxyFor(url);
      // A pool never serves two zones: a connection that one may have the other may not.
      const key = proxy === undefined ? zone : proxy.href;
      const dispatcher = open.get(key) ?? (proxy === undefined ? direct(zone) : through(proxy));
      open.set(key, dispatcher);
      return dispatcher;
    },
    wait: (url) => waiting.enter(url.hostname),
    close: async () => {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
    },
  };
}
