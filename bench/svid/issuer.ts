// Issues SVIDs, and signs without anything around it, in turn: a round for each line on standard input.

import { randomBytes, sign } from 'node:crypto';
import { createInterface } from 'node:readline';
import { generateSigningKey } from '../../src/crypto/keys.ts';
import { createCsr } from '../../src/crypto/x509/csr.ts';
import { assembleCa, createCaFiles } from '../../src/identity/ca.ts';
import { createSvidIssuer } from '../../src/identity/issuer.ts';

export interface IssuedInARound {
  /** Operations per second of CPU. */
  readonly issued: number;
  readonly signed: number;
}

/** They alternate, because other work on the machine comes and goes. */
const turns = 10;
const turnMs = 100;
/** About what is signed of an SVID. */
const messageBytes = 4_096;
const algorithm = 'ML-DSA-65';
const trustDomain = 'mesh.internal';

class Rate {
  readonly #operation: (index: number) => void;
  #count = 0;
  #cpuUs = 0;

  constructor(operation: (index: number) => void) {
    this.#operation = operation;
  }

  /** Of CPU time. */
  get perSecond(): number {
    return (this.#count * 1e6) / this.#cpuUs;
  }

  run(): void {
    const before = process.cpuUsage();
    const end = performance.now() + turnMs;
    for (; performance.now() < end; this.#count++) this.#operation(this.#count);
    const { user, system } = process.cpuUsage(before);
    this.#cpuUs += user + system;
  }
}

const now = new Date();
const ca = assembleCa(createCaFiles({ trustDomain, now, randomBytes }), trustDomain, now, 'bench');
const issuer = createSvidIssuer({ ca, randomBytes });
const requests = Array.from({ length: 16 }, (_, index) => ({
  spiffeId: `spiffe://${trustDomain}/ns/shop/sa/service-${index}`,
  csr: createCsr(generateSigningKey(algorithm)),
  now,
}));
const { privateKey } = generateSigningKey(algorithm);

console.log('ready');
createInterface({ input: process.stdin }).on('line', () => {
  const issued = new Rate((index) => {
    const request = requests[index % requests.length];
    if (request !== undefined) issuer.issueX509Svid(request);
  });
  const signed = new Rate((index) => {
    sign(null, Buffer.alloc(messageBytes, index), privateKey);
  });
  for (let turn = 0; turn < turns; turn++) {
    issued.run();
    signed.run();
  }
  const round: IssuedInARound = { issued: issued.perSecond, signed: signed.perSecond };
  console.log(JSON.stringify(round));
});
