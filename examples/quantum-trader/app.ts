// One service of the trading application. All eight are this program with another name.
//
// It knows nothing about the mesh: it calls the others by name with plain HTTP, and finds its proxy through HTTP_PROXY
// as programs do. Encryption, identities and policies happen in the proxies.
//
//   SERVICE=gateway ADDRESS=127.77.0.10 HTTP_PROXY=http://127.77.0.10:15001 NODE_USE_ENV_PROXY=1 node app.ts
//
// One call carries a workload token. The program fetches it with `trellis token fetch`: set TRELLIS to bin/trellis.js and
// AGENT_SOCKET to the socket of the service's agent.

import { execFile } from 'node:child_process';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

interface Service {
  readonly port: number;
  /**
   * Calls it makes, over and over: method, URL, and headers as `name=value`; `token` stands for the header with a workload
   * token. Some of them it may not make: see policies/.
   */
  readonly calls: readonly string[];
}

const services: Readonly<Record<string, Service>> = {
  gateway: {
    port: 8000,
    calls: [
      'POST http://ai-engine:8001/predict',
      'POST http://execution:8002/orders/42',
      'GET http://portfolio:8004/positions/eur-usd',
      'POST http://risk-safety:8003/checks/exposure',
      'PUT http://risk-safety:8003/limits/fx x-desk=fx',
      'PUT http://risk-safety:8003/limits/bonds x-desk=fx',
    ],
  },
  'ai-engine': {
    port: 8001,
    calls: ['POST http://risk-safety:8003/checks/prediction', 'POST http://execution:8002/orders/43'],
  },
  execution: {
    port: 8002,
    calls: [
      'POST http://risk-safety:8003/checks/order',
      'POST http://portfolio:8004/positions/eur-usd',
      'CONNECT portfolio:5432',
    ],
  },
  'risk-safety': { port: 8003, calls: [] },
  portfolio: { port: 8004, calls: [] },
  monitoring: {
    port: 8005,
    calls: [
      'GET http://gateway:8000/metrics',
      'GET http://ai-engine:8001/metrics',
      'GET http://execution:8002/metrics',
      'GET http://portfolio:8004/positions/eur-usd',
    ],
  },
  'rl-training': {
    port: 8006,
    calls: [
      'POST http://ai-engine:8001/models/eur-usd',
      'GET http://portfolio:8004/history/2026 token',
      'GET http://portfolio:8004/history/2025',
      'CONNECT portfolio:5432',
    ],
  },
  'federation-ai': {
    port: 8007,
    calls: [
      'POST http://rl-training:8006/gradients',
      'GET http://gateway:8000/health',
      'POST http://execution:8002/orders/44',
    ],
  },
};

/** The ledger of the portfolio speaks first, as many TCP protocols do. */
const ledger = { service: 'portfolio', port: 5432, banner: 'ledger 1.0 ready\n' };
const pauseMs = 300;
const timeoutMs = 5000;

/** Whom the token is for: portfolio believes no other. */
const tokenAudience = 'spiffe://cluster.local/ns/quantum-trader/sa/portfolio';
/** Tokens live for five minutes; the agent gives out none with less than half of that left. */
const keepTokenMs = 120_000;
const tokenRetryMs = 1000;

const name = process.env['SERVICE'] ?? '';
const address = process.env['ADDRESS'] ?? '';
const service = services[name];
if (service === undefined || address === '') {
  console.error(`set SERVICE (${Object.keys(services).join(', ')}) and ADDRESS`);
  process.exit(2);
}

const lastAnswers = new Map<string, string>();
let keptToken: { readonly value: string; readonly at: number } | undefined;
serve(service.port);
if (name === ledger.service) serveLedger();
await callOthers(service.calls);

async function callOthers(calls: readonly string[]): Promise<void> {
  for (;;) {
    for (const call of calls) await report(call);
    await sleep(pauseMs);
  }
}

/** Answers every request with what it was, and who the mesh says has sent it. */
function serve(port: number): void {
  const server = createHttpServer((incoming, response) => {
    incoming.resume();
    const certificate = String(incoming.headers['x-forwarded-client-cert'] ?? '');
    const callers = [...certificate.matchAll(/URI=([^;,"]+)/g)].map(([, uri]) => uri);
    response.setHeader('content-type', 'application/json');
    response.end(
      `${JSON.stringify({ service: name, method: incoming.method, path: incoming.url, callers })}\n`,
    );
  });
  // Longer than any proxy keeps an idle connection: the one who reuses connections should be the one who closes them.
  server.keepAliveTimeout = 2 * 60 * 60 * 1000;
  server.listen(port, address);
}

function serveLedger(): void {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.write(ledger.banner);
    socket.pipe(socket);
  });
  server.listen(ledger.port, address);
}

/** Makes a call, and says so when the answer is another than the last time. */
async function report(call: string): Promise<void> {
  const [method = '', target = '', ...words] = call.split(' ');
  const answer = await (method === 'CONNECT' ? openLedger(target) : callHttp(method, target, words)).catch(
    (error: Error) => error.message,
  );
  if (lastAnswers.get(call) !== answer) console.log(`${name} ${call}: ${answer}`);
  lastAnswers.set(call, answer);
}

async function callHttp(method: string, url: string, words: readonly string[]): Promise<string> {
  const headers = Object.fromEntries(await Promise.all(words.map(header)));
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, timeout: timeoutMs }, (response) => {
      response.resume();
      response.on('end', () => resolve(String(response.statusCode)));
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function header(word: string): Promise<readonly [name: string, value: string]> {
  if (word === 'token') return ['authorization', `Bearer ${await token()}`];
  const [name = '', value = ''] = word.split('=');
  return [name, value];
}

/** What `trellis token fetch` prints, kept for a while. */
async function token(): Promise<string> {
  if (keptToken !== undefined && Date.now() - keptToken.at < keepTokenMs) return keptToken.value;
  const { TRELLIS: trellis = '', AGENT_SOCKET: socket = '' } = process.env;
  const args = [trellis, 'token', 'fetch', '--socket', socket, '--audience', tokenAudience];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: timeoutMs }).catch(
    async () => {
      // The agent is not there yet, or no more.
      await sleep(tokenRetryMs);
      throw new Error('no token');
    },
  );
  keptToken = { value: stdout.trim(), at: Date.now() };
  return keptToken.value;
}

/** Reads the ledger's first line through an HTTP proxy: what `curl --proxytunnel telnet://` would do. */
function openLedger(target: string): Promise<string> {
  const proxy = new URL(process.env['HTTP_PROXY'] ?? 'http://127.0.0.1:15001');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: proxy.hostname, port: Number(proxy.port), timeout: timeoutMs });
    let text = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`));
    socket.on('data', (chunk: string) => {
      text += chunk;
      const [head = '', body = ''] = text.split('\r\n\r\n', 2);
      const status = head.split(' ')[1] ?? '';
      if (status !== '200') socket.destroy();
      else if (body.endsWith('\n')) socket.end();
    });
    socket.on('timeout', () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('close', () => resolve(text.split(' ')[1] ?? 'closed'));
  });
}
