// Who waits for a host, so that what is done for it ends when nobody does any more: whoever connects is not told that the request it
// connects for was given up.

export interface Waiting {
  /** @returns what to call when that is over */
  enter(host: string): () => void;
  /** Ends when nobody waits for the host any more; has ended where nobody does. */
  signalOf(host: string): AbortSignal;
}

interface Waiters {
  count: number;
  readonly controller: AbortController;
}

export function createWaiting(): Waiting {
  const hosts = new Map<string, Waiters>();
  return {
    enter: (host) => {
      const waiters = hosts.get(host) ?? { count: 0, controller: new AbortController() };
      hosts.set(host, waiters);
      waiters.count += 1;
      return () => {
        waiters.count -= 1;
        if (waiters.count > 0) return;
        hosts.delete(host);
        waiters.controller.abort(nobodyWaits());
      };
    },
    signalOf: (host) => hosts.get(host)?.controller.signal ?? AbortSignal.abort(nobodyWaits()),
  };
}

function nobodyWaits(): DOMException {
  return new DOMException('nobody waits for this connection any more', 'AbortError');
}
