// Our side: the agent's socket and the agent's authorizer, with a policy from a file.

import { readFileSync } from 'node:fs';
import { serveSocket } from '../../src/agent/socket.ts';
import { createAuthorizer } from '../../src/authz/authorizer.ts';
import { fromPemOne } from '../../src/crypto/pem.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { compileAuthorization } from '../../src/policy/authorize/compile.ts';
import { auditKey, checkPath, deniedKey, portExtension } from '../../src/xds/agreed-names.ts';
import { type BenchPolicy, requirementOf } from './scenario.ts';

const [socket, policyFile] = process.argv.slice(2);
if (socket === undefined || policyFile === undefined) throw new Error('usage: server.ts SOCKET POLICY');
const benchPolicy = JSON.parse(readFileSync(policyFile, 'utf8')) as BenchPolicy;
const { counterSignedBy } = benchPolicy;
const policy = compileAuthorization({
  workload: 'spiffe://mesh.internal/ns/shop/sa/orders',
  requirements: [requirementOf(benchPolicy)],
  shadowRequirements: [],
  hybridPolicies: counterSignedBy === undefined ? [] : [benchPolicy.name],
  quarantined: [],
});
const anchors =
  counterSignedBy === undefined ? [] : [parseCertificate(fromPemOne(counterSignedBy, 'CERTIFICATE'))];
const fail = (error: unknown): void => {
  throw error;
};
const counts = new Map<string, number>();
const authorizer = createAuthorizer({
  policy: () => policy,
  anchors: () => anchors,
  tokenKeys: () => undefined,
  trustDomain: 'mesh.internal',
  now: () => new Date(),
  onDecision: (result, cause) => {
    const key = `${result} ${cause}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  },
  onError: fail,
  portExtension,
  reasonKeys: { denied: deniedKey, audit: auditKey },
});
await serveSocket(socket, new Map([[checkPath, authorizer]]), fail);
console.log('ready');
