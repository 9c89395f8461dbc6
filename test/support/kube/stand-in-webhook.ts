// A webhook server that does as a test says.

import { once } from 'node:events';
import { createServer } from 'node:https';
import { json } from 'node:stream/consumers';
import { onEnd } from '../cleanup.ts';
import type { TlsFiles } from '../registry/tls.ts';

export interface StandInWebhook {
  readonly host: string;
  readonly port: number;
  /** As webhook configurations name it. @param path of the webhook, with its slash */
  clientConfig(path: string): { readonly url: string; readonly caBundle: string };
}

/** @param answer to an AdmissionReview; undefined for an error of the server */
export async function startStandInWebhook(
  tls: TlsFiles,
  answer: (path: string, review: unknown) => object | undefined | Promise<object | undefined>,
  host = '127.0.0.1',
): Promise<StandInWebhook> {
  const server = createServer({ key: tls.key, cert: tls.cert }, async (incoming, outgoing) => {
    const { pathname } = new URL(incoming.url ?? '', 'https://webhook');
    const review = await answer(pathname, await json(incoming));
    outgoing.writeHead(review === undefined ? 500 : 200, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify(review ?? {}));
  });
  server.listen(0, host);
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  const caBundle = Buffer.from(tls.ca).toString('base64');
  return { host, port, clientConfig: (path) => ({ url: `https://${host}:${port}${path}`, caBundle }) };
}

/** Lets it in. */
export function allowing(uid: string): object {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true } };
}
