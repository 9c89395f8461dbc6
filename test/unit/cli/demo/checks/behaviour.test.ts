// Every check must be able to fail: each is shown something bad, one thing at a time.

import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { breakManifest, judge as judgeBad } from '../../../../../src/cli/demo/checks/bad-manifest.ts';
import { judge as judgeRestart } from '../../../../../src/cli/demo/checks/control-plane-restart.ts';
import { judge as judgeEndpoint } from '../../../../../src/cli/demo/checks/endpoint-change.ts';
import { judge as judgeEdit } from '../../../../../src/cli/demo/checks/policy-edit.ts';
import { judge as judgeRotation } from '../../../../../src/cli/demo/checks/svid-rotation.ts';
import { judge as judgeTunnel } from '../../../../../src/cli/demo/checks/tcp-tunnel.ts';
import { judged } from './judged.ts';

const edits = [
  { to: 'allow', ms: 40 },
  { to: 'deny', ms: 60 },
] as const;

judged('policy-edit', judgeEdit, { first: 403, edits, connectionEnd: undefined }, [
  ['it was allowed all along', { first: 200 }, /before the first edit: HTTP 200/],
  ['too slow to deny', { edits: [edits[0], { to: 'deny', ms: 1000 }] }, /deny took 1000 ms/],
  ['one direction only', { edits: [edits[0]] }, /both directions/],
  ['the connection was closed', { connectionEnd: 'GOAWAY 0' }, /GOAWAY/],
]);

judged('endpoint-change', judgeEndpoint, { thereMs: 30, backMs: 30, statuses: [200, 200] }, [
  ['no request', { statuses: [] }, /no request/],
  ['a failed request', { statuses: [200, 503] }, /1 of 2 requests failed: HTTP 503/],
  ['too slow', { thereMs: 1000 }, /new address was used after 1000 ms/],
  ['too slow back', { backMs: 1500 }, /old address was used again after 1500 ms/],
]);

const traffic = { sent: 100, failed: 0, failures: [] };
const failing = { sent: 100, failed: 1, failures: ['gateway → ai-engine POST /predict: HTTP 503'] };

judged('svid-rotation', judgeRotation, { serials: new Map([['gateway', ['01', '02']]]), traffic }, [
  ['no proxy', { serials: new Map() }, /no proxy/],
  ['the same certificate', { serials: new Map([['gateway', ['01']]]) }, /same certificate: gateway/],
  [
    'the same certificate again',
    { serials: new Map([['gateway', ['01', '01']]]) },
    /same certificate: gateway/,
  ],
  ['no traffic', { traffic: { ...traffic, sent: 0 } }, /no traffic/],
  ['a failed request', { traffic: failing }, /1 of 100 requests failed: .*503/],
]);

judged(
  'control-plane-restart',
  judgeRestart,
  {
    answeredWhileDead: false,
    away: traffic,
    all: traffic,
    reconnected: 8,
    proxies: 8,
    reconnectMs: 500,
    edit: { before: 403, after: 200 },
  },
  [
    ['it was not dead', { answeredWhileDead: true }, /not dead/],
    ['no traffic meanwhile', { away: { ...traffic, sent: 0 } }, /no traffic/],
    ['a failed request', { all: failing }, /1 of 100/],
    ['a proxy that stays away', { reconnected: 7 }, /7 of 8/],
    ['no proxy', { reconnected: 0, proxies: 0 }, /0 of 0/],
    ['an edit without effect', { edit: { before: 403, after: 403 } }, /403 into 403/],
    ['a call that was allowed before', { edit: { before: 200, after: 403 } }, /200 into 403/],
  ],
);

judged(
  'bad-manifest',
  judgeBad,
  {
    file: 'policies/execution.yaml',
    line: 24,
    errors: ['{"msg":"policies/execution.yaml:24:11: a list is not closed"}'],
    whileBroken: { allowed: 200, denied: 403 },
    edit: { before: 403, after: 200 },
  },
  [
    ['not reported', { errors: [] }, /not reported/],
    ['another line', { errors: ['policies/execution.yaml:2:1: x'] }, /without policies\/execution.yaml:24:/],
    ['the allowed call denied', { whileBroken: { allowed: 403, denied: 403 } }, /allowed call got HTTP 403/],
    ['the denied call allowed', { whileBroken: { allowed: 200, denied: 200 } }, /denied call got HTTP 200/],
    ['no effect after the repair', { edit: { before: 403, after: 403 } }, /403 into 403/],
  ],
);

test('the broken manifest is broken in the line that is said', () => {
  const { text, line } = breakManifest('kind: Policy\nspec:\n  a: 1\n');
  expect(text.split('\n')[line - 1]).toBe('\tbroken: true');
  expect(parseDocument(text).errors[0]?.linePos?.[0].line).toBe(line);
});

const head = 'HTTP/1.1 200 OK\r\n\r\n';
const deniedHead = 'HTTP/1.1 403 Forbidden\r\nx-trellis-denied: x[deny:quantum-trader/portfolio]\r\n\r\n';
const hears = {
  head,
  status: 200,
  received: Buffer.from('ledger 1.0 ready\n'),
  echoed: Buffer.from('balance eur\n'),
};
const hearsNothing = {
  head: deniedHead,
  status: 403,
  received: Buffer.from('{"error":"denied"}'),
  echoed: Buffer.alloc(0),
};

judged(
  'tcp-tunnel',
  judgeTunnel,
  { policy: 'quantum-trader/portfolio', allowed: hears, denied: hearsNothing },
  [
    ['the allowed one is denied', { allowed: hearsNothing }, /execution: HTTP 403/],
    [
      'the server does not speak first',
      { allowed: { ...hears, received: Buffer.alloc(0) } },
      /heard "" first/,
    ],
    ['nothing comes back', { allowed: { ...hears, echoed: Buffer.alloc(0) } }, /and heard ""/],
    ['the denied one is allowed', { denied: hears }, /gateway: HTTP 200/],
    [
      'the banner leaks with a denial',
      { denied: { ...hearsNothing, received: Buffer.from('ledger') } },
      /reached gateway/,
    ],
    ['the tunnel goes on', { denied: { ...hearsNothing, echoed: Buffer.from('x') } }, /after the denial/],
    ['no name', { denied: { ...hearsNothing, head: 'HTTP/1.1 403 Forbidden\r\n\r\n' } }, /not told/],
  ],
);
