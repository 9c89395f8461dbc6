// Every check must be able to fail: each is shown something bad, one thing at a time.

import { expect, test } from 'vitest';
import { judge as judgeRestart, type Sample } from '../../../../../src/cli/demo/checks/agent-restart.ts';
import { judge as judgeCondition } from '../../../../../src/cli/demo/checks/condition-denied.ts';
import { judge as judgeCounter } from '../../../../../src/cli/demo/checks/counter-signature-required.ts';
import {
  type DecidedCall,
  deniedByAgent,
  judgeDecided,
  type Outcome,
} from '../../../../../src/cli/demo/checks/decided.ts';
import { judge as judgeToken, withAudience } from '../../../../../src/cli/demo/checks/token-required.ts';
import type { Attempt } from '../../../../../src/cli/demo/tls-client.ts';
import { judged } from './judged.ts';

const peer = {
  group: 'X25519MLKEM768',
  uris: ['spiffe://cluster.local/ns/quantum-trader/sa/execution'],
  keyType: 'ml-dsa-65',
  serial: '01',
  wants: ['id-ml-dsa-65+UNDEF'],
};
const answered = (status: number): Attempt => ({ kind: 'answered', status, peer, ticket: false });
const refused: Attempt = { kind: 'refused', reason: 'ERR_CLOSED_BY_SERVER' };
const attack = (attempt: Attempt, after = 2) => ({
  name: 'without a counter-signature',
  attempt,
  counted: { name: 'counter_signature.denied', before: 1, after },
});
const strict = { controls: [answered(200), answered(200)], attacks: [attack(refused)] };
const lax = (attempt: Attempt) => new Map([['without a counter-signature', attempt]]);

judged('counter-signature-required', judgeCounter, { lax: lax(answered(200)), strict }, [
  ['nothing tried', { lax: new Map() }, /nothing was tried/],
  [
    'the forgery is no good anywhere',
    { lax: lax({ kind: 'refused', reason: 'ERR_SSL_X' }) },
    /ai-engine did not answer a client without a counter-signature: refused: ERR_SSL_X/,
  ],
  ['the forgery may call nothing', { lax: lax(answered(403)) }, /ai-engine did not answer .*HTTP 403/],
  [
    'it gets through where hybrid is asked for',
    { strict: { ...strict, attacks: [attack(answered(200))] } },
    /got through, HTTP 200/,
  ],
  [
    'it is connected, and only then denied',
    { strict: { ...strict, attacks: [attack(answered(403))] } },
    /got through, HTTP 403/,
  ],
  [
    'refused for another reason',
    { strict: { ...strict, attacks: [attack(refused, 1)] } },
    /did not count it/,
  ],
  ['no attack', { strict: { ...strict, attacks: [] } }, /nothing was tried/],
  [
    'the right client is denied',
    { strict: { ...strict, controls: [answered(200), answered(403)] } },
    /execution did not answer the right client: HTTP 403/,
  ],
  ['the right client is refused', { strict: { ...strict, controls: [refused] } }, /right client: refused/],
]);

const policy = 'quantum-trader/portfolio';
const missing = deniedByAgent(policy, 2, 'token-missing');
const missingReason = `ext_authz_denied[deny:${policy}:rule-2:token-missing]`;
const answer = (status: number, body: string, reason?: string) => ({
  status,
  headers: reason === undefined ? {} : { 'x-trellis-denied': reason },
  body,
});
const call = (expected: Outcome, got: DecidedCall['answer']): DecidedCall => ({
  name: 'it',
  expected,
  answer: got,
});
const right = call({ heard: '/history/2026' }, answer(200, '{"path":"/history/2026"}'));
const wrong = call(missing, answer(403, `{"reason":"${missingReason}"}`, missingReason));
const bad = call({ status: 400 }, answer(400, ''));
const seen = (...calls: DecidedCall[]) => ({ calls });

const judgements = [
  ['decided', (calls: readonly DecidedCall[]) => judgeDecided(calls, '')],
  ['token-required', judgeToken],
  ['condition-denied', judgeCondition],
] as const;

for (const [name, judge] of judgements) {
  judged(name, ({ calls }: { calls: readonly DecidedCall[] }) => judge(calls), seen(right, wrong, bad), [
    ['no call', seen(), /there must be calls/],
    ['none that is allowed', seen(wrong), /there must be calls/],
    ['none that is denied', seen(right, bad), /there must be calls/],
    [
      'the right one is denied',
      seen(wrong, { ...right, answer: wrong.answer }),
      /it: HTTP 403 ext_authz_denied\[.*token-missing\]/,
    ],
    [
      'another path is heard',
      seen(wrong, { ...right, answer: answer(200, '{"path":"/history//2026"}') }),
      /heard \/history\/\/2026/,
    ],
    ['something else answers', seen(wrong, { ...right, answer: answer(200, 'hello') }), /something else/],
    ['the wrong one is allowed', seen(right, { ...wrong, answer: right.answer }), /it: HTTP 200/],
    [
      'the agent does not answer',
      seen(right, { ...wrong, answer: answer(503, missingReason, missingReason) }),
      /it: HTTP 503/,
    ],
    [
      'denied without a reason',
      seen(right, { ...wrong, answer: answer(403, missingReason) }),
      /says nothing, not ext_authz_denied/,
    ],
    [
      'denied for another reason',
      seen(right, {
        ...wrong,
        answer: answer(403, missingReason, missingReason.replace('missing', 'audience')),
      }),
      /says .*token-audience\], not .*token-missing/,
    ],
    ['a body without it', seen(right, { ...wrong, answer: answer(403, '{}', missingReason) }), /the body/],
    ['a bad request is answered', seen(right, wrong, { ...bad, answer: right.answer }), /it: HTTP 200/],
    ['a bad request is decided', seen(right, wrong, { ...bad, answer: wrong.answer }), /it: HTTP 403/],
  ]);
}

test('the verdict says what was wrong with each token', () => {
  expect(judgeToken([right, { ...wrong, name: 'no token' }]).detail).toContain(
    '403 for no token (token-missing)',
  );
});

test('an altered token has another audience and the signature of the old one', () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = [part({ alg: 'x' }), part({ aud: ['a'], sub: 's' }), 'sig'].join('.');
  const [header, claims = '', signature] = withAudience(token, 'b').split('.');
  expect([header, signature]).toEqual([part({ alg: 'x' }), 'sig']);
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({ aud: ['b'], sub: 's' });
});

const noAnswer = 'ext_authz_error[the agent did not answer; try again]';
const sample = (at: number, status: number, reason = ''): Sample => ({ at, status, reason });
const away = sample(10, 503, noAnswer);
const starting = sample(110, 403, 'ext_authz_denied[deny:x:policy-unknown]');
const fine = Array.from({ length: 12 }, (_, index) => sample(120 + index, 200));
const unproven = [away, starting, sample(130, 403, missingReason)];
const tunnel = { status: 200, echoed: Buffer.from('balance eur\n') };
const traffic = { sent: 100, failed: 0, failures: [] };

judged(
  'agent-restart',
  judgeRestart,
  {
    before: 200,
    samples: { proven: [away, starting, ...fine], unproven },
    startedAt: 100,
    tunnels: [tunnel],
    traffic,
  },
  [
    ['it did not work before', { before: 403 }, /before: HTTP 403/],
    [
      'nothing was asked meanwhile',
      { samples: { proven: fine, unproven: [sample(130, 403, missingReason)] } },
      /nothing was asked/,
    ],
    [
      'it is allowed without an agent',
      { samples: { proven: [sample(10, 200), ...fine], unproven } },
      /without an agent, 1 of 2: HTTP 200/,
    ],
    [
      'it is denied without an agent for a reason that is not the true one',
      { samples: { proven: [sample(10, 403, missingReason), ...fine], unproven } },
      /without an agent, 1 of 2: HTTP 403/,
    ],
    [
      'a 503 of somebody else',
      { samples: { proven: [sample(10, 503), ...fine], unproven } },
      /without an agent, 1 of 2: HTTP 503$/,
    ],
    [
      'the caller without a token is allowed once',
      { samples: { proven: [away, ...fine], unproven: [sample(110, 200), ...unproven] } },
      /without a token, 1 of 4: HTTP 200/,
    ],
    [
      'an answer of the application while the agent starts',
      { samples: { proven: [away, sample(110, 404), ...fine], unproven } },
      /while the agent was starting, 1 of 1: HTTP 404/,
    ],
    ['it never works again', { samples: { proven: [away, starting], unproven } }, /did not work again/],
    [
      'it works again for a moment',
      { samples: { proven: [away, ...fine, starting], unproven } },
      /afterwards, 1 of 13: HTTP 403/,
    ],
    [
      'nothing is wrong with no token in the end',
      { samples: { proven: [away, ...fine], unproven: [away] } },
      /in the end, without a token: HTTP 503/,
    ],
    ['no tunnel', { tunnels: [] }, /not tried/],
    ['a tunnel that is denied', { tunnels: [tunnel, { ...tunnel, status: 403 }] }, /HTTP 200, HTTP 403/],
    ['a tunnel without an echo', { tunnels: [{ ...tunnel, echoed: Buffer.alloc(0) }] }, /TCP to portfolio/],
    ['no traffic', { traffic: { ...traffic, sent: 0 } }, /no traffic/],
    ['a failed request', { traffic: { sent: 9, failed: 1, failures: ['x: HTTP 503'] } }, /1 of 9 .*503/],
  ],
);
