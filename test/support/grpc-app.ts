// A gRPC application: echoes, or fails on demand.

import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js';
import type { App } from './apps.ts';
import { onEnd } from './cleanup.ts';

const text = {
  serialize: (value: string) => Buffer.from(value),
  deserialize: (bytes: Buffer) => String(bytes),
};

const method = (path: string) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: text.serialize,
  requestDeserialize: text.deserialize,
  responseSerialize: text.serialize,
  responseDeserialize: text.deserialize,
});

const service: ServiceDefinition = { Say: method('/shop.Echo/Say'), Fail: method('/shop.Echo/Fail') };

export const grpcApp: App = async ({ host, port }) => {
  const seen: string[] = [];
  const server = new Server();
  server.addService(service, {
    Say: (call: { request: string }, reply: (error: null, answer: string) => void) => {
      seen.push(`Say ${call.request}`);
      reply(null, call.request);
    },
    Fail: (call: { request: string }, reply: (error: { code: number; details: string }) => void) => {
      seen.push(`Fail ${call.request}`);
      reply({ code: status.FAILED_PRECONDITION, details: `because of ${call.request}` });
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  const close = async (): Promise<void> => server.forceShutdown();
  onEnd(close);
  return { seen, close };
};
