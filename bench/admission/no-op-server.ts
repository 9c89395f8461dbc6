// The least that a webhook can be: it reads a question and allows it. What the admission controller costs beyond this is its own.
//
//   node no-op-server.ts CERTIFICATE KEY PORT
//
// POST /patch is answered with the patch that came last on standard input, base64 on a line, unless the pod has init containers: then
// it has been there already. An empty line asks for the question that came last, as JSON text.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** As our server: longer than an API server keeps a connection that it does not use. */
const keepAliveTimeout = 120_000;

const [certificate = '', key = '', port = ''] = process.argv.slice(2);
let last = '';
let patch = '';

interface Review {
  readonly request: {
    readonly uid: string;
    readonly object: { readonly spec: { readonly initContainers?: unknown } };
  };
}

const server = createServer(
  { cert: readFileSync(certificate), key: readFileSync(key), keepAliveTimeout },
  async (question, answer) => {
    last = await text(question);
    const { request } = JSON.parse(last) as Review;
    const isChanged =
      question.url?.startsWith('/patch') === true && request.object.spec.initContainers === undefined;
    const response = { uid: request.uid, allowed: true, ...(isChanged && { patchType: 'JSONPatch', patch }) };
    answer.setHeader('content-type', 'application/json');
    answer.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }));
  },
);
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
for await (const line of createInterface({ input: process.stdin })) {
  if (line === '') console.log(JSON.stringify(last));
  else patch = line;
}
