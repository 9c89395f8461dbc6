// Whoever speaks no TLS gets not one byte from the mesh listener. The same client gets an answer where plaintext belongs:
// on the workload's own outbound listener.

import { type Check, unless, type Verdict, verdict } from '../check.ts';
import { type RawAnswer, sendRaw } from '../raw-client.ts';
import { serviceNamed } from '../running-mesh.ts';
import { inboundPort } from '../tls-client.ts';
import { outboundPort } from '../workload-client.ts';

export interface PlaintextObservation {
  readonly attacks: ReadonlyMap<string, RawAnswer>;
  readonly control: RawAnswer;
}

export const plaintextRefused: Check = {
  id: 'plaintext-refused',
  run: async (mesh) => {
    const { address } = serviceNamed(mesh, 'ai-engine');
    const http1 = 'POST /predict HTTP/1.1\r\nHost: ai-engine:8001\r\nContent-Length: 0\r\n\r\n';
    // The connection preface and an empty SETTINGS frame (RFC 9113 §3.4).
    const http2 = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
    const attacks = new Map<string, RawAnswer>();
    for (const [name, bytes] of [
      ['HTTP/1.1', http1],
      ['HTTP/2', http2],
    ] as const) {
      attacks.set(name, await sendRaw(address, inboundPort, bytes));
    }
    return judge({ attacks, control: await sendRaw(address, outboundPort, http1) });
  },
};

export function judge({ attacks, control }: PlaintextObservation): Verdict {
  const problems = [...attacks].map(([name, { end, received }]) => {
    if (received.length > 0)
      return `${name}: got ${received.length} bytes: ${received.subarray(0, 40).toString('latin1')}`;
    return unless(end === 'closed', `${name}: ${end}`);
  });
  return verdict(
    [
      unless(attacks.size > 0, 'nothing was tried'),
      unless(control.received.length > 0, 'the same client gets no answer from the outbound listener either'),
      ...problems,
    ],
    `${[...attacks.keys()].join(' and ')} without TLS: closed without a byte`,
  );
}
