// Every check must be able to fail: each is shown something bad, one thing at a time.

import { type AnsweredCall, judge as judgeAllowed } from '../../../../../src/cli/demo/checks/allowed-call.ts';
import { judge as judgeAnchor } from '../../../../../src/cli/demo/checks/classical-anchor-refused.ts';
import { judge as judgeClassical } from '../../../../../src/cli/demo/checks/classical-client-refused.ts';
import { type DeniedCall, judge as judgeDenied } from '../../../../../src/cli/demo/checks/denied-call.ts';
import { judge as judgeGroup } from '../../../../../src/cli/demo/checks/handshake-group.ts';
import { judge as judgeSignature } from '../../../../../src/cli/demo/checks/handshake-signature.ts';
import { judge as judgePlaintext } from '../../../../../src/cli/demo/checks/plaintext-refused.ts';
import { judgeRefusals, type RefusalObservation } from '../../../../../src/cli/demo/checks/refusals.ts';
import { judge as judgeIdentity } from '../../../../../src/cli/demo/checks/spiffe-identity.ts';
import { judge as judgeWrongServer } from '../../../../../src/cli/demo/checks/wrong-server-refused.ts';
import type { Attempt } from '../../../../../src/cli/demo/tls-client.ts';
import type { ProxyTls, TlsCounts } from '../../../../../src/cli/demo/tls-stats.ts';
import { judged } from './judged.ts';

const counts = (change: Partial<TlsCounts> = {}): TlsCounts => ({
  handshakes: 5,
  resumed: 0,
  groups: new Map([['X25519MLKEM768', 5]]),
  signatures: new Map([['mldsa65', 5]]),
  versions: new Map([['TLSv1.3', 5]]),
  ...change,
});
const proxies = (accepted: Partial<TlsCounts> = {}, opened: Partial<TlsCounts> = {}): readonly ProxyTls[] => [
  { name: 'gateway', accepted: counts(), opened: counts(opened) },
  { name: 'ai-engine', accepted: counts(accepted), opened: counts({ handshakes: 9, ...opened }) },
];
const hello = (...groups: number[]) => ({ groups, keyShares: groups, signatures: [0x0905] });
const mixedGroups = {
  groups: new Map([
    ['X25519MLKEM768', 4],
    ['X25519', 1],
  ]),
};
const none = { groups: new Map<string, number>(), signatures: new Map<string, number>() };
const mixedSignatures = {
  signatures: new Map([
    ['mldsa65', 5],
    ['ecdsa_secp256r1_sha256', 1],
  ]),
};

judged(
  'handshake-group',
  judgeGroup,
  {
    proxies: proxies(),
    clientHello: hello(0x11ec),
    serverHello: { groups: [], keyShares: [0x11ec], signatures: [] },
  },
  [
    ['no proxy', { proxies: [] }, /no proxy/],
    ['a proxy without connections', { proxies: proxies({ handshakes: 0 }) }, /ai-engine: no TLS connection/],
    [
      'another group as the server',
      { proxies: proxies(mixedGroups) },
      /ai-engine: others than .*: X25519 ×1/,
    ],
    [
      'another group as the client',
      { proxies: proxies({}, mixedGroups) },
      /ai-engine: others than .*: X25519 ×1/,
    ],
    ['an older version', { proxies: proxies({ versions: new Map([['TLSv1.2', 5]]) }) }, /TLSv1.2/],
    ['a handshake without a group', { proxies: proxies({ handshakes: 6 }) }, /6 handshakes, of which 5/],
    ['nobody who calls', { proxies: proxies({}, none) }, /no proxy has opened/],
    ['a resumed session', { proxies: proxies({ resumed: 1 }) }, /resumed sessions: ai-engine/],
    [
      'a session resumed as the client',
      { proxies: proxies({}, { resumed: 1 }) },
      /resumed sessions: gateway/,
    ],
    ['nothing on the wire', { clientHello: undefined }, /no TLS handshake/],
    ['a classical offer on the wire', { clientHello: hello(0x11ec, 0x1d) }, /other groups: 0x1d/],
    [
      'a classical choice on the wire',
      { serverHello: { groups: [], keyShares: [0x1d], signatures: [] } },
      /other groups: 0x1d/,
    ],
    ['no choice on the wire', { serverHello: { groups: [], keyShares: [], signatures: [] } }, /no key share/],
  ],
);

const id = (name: string): string => `spiffe://cluster.local/ns/quantum-trader/sa/${name}`;
const peer = (uris: readonly string[], keyType = 'ml-dsa-65') => ({
  group: 'X25519MLKEM768',
  uris,
  keyType,
  serial: '01',
  wants: ['id-ml-dsa-65+UNDEF'],
});
const through = { kind: 'answered', status: 403, peer: peer([]), ticket: false } as const;
const refused = { kind: 'refused', reason: 'ERR_SSL_HANDSHAKE_FAILURE' } as const;

const attempts = (second: Attempt) =>
  new Map<string, Attempt>([
    ['gateway', through],
    ['ai-engine', second],
  ]);

judged(
  'handshake-signature',
  judgeSignature,
  { proxies: proxies(), clientHello: hello(0x11ec), attempts: attempts(through) },
  [
    ['no proxy', { proxies: [], attempts: new Map() }, /no proxy/],
    ['a classical client', { proxies: proxies(mixedSignatures) }, /ecdsa/],
    ['a classical server', { proxies: proxies({}, mixedSignatures) }, /ecdsa/],
    ['no signature', { proxies: proxies(none) }, /of which 0/],
    ['a handshake without one', { proxies: proxies({ handshakes: 6 }) }, /6 handshakes, of which 5/],
    ['nothing on the wire', { clientHello: undefined }, /signatures none/],
    [
      'a proxy that would accept more',
      { clientHello: { ...hello(0x11ec), signatures: [0x0905, 0x0403] } },
      /accepts the signatures 0x905, 0x403/,
    ],
    [
      'a session ticket',
      { attempts: attempts({ ...through, ticket: true }) },
      /ai-engine gives out session tickets/,
    ],
    ['a proxy that does not answer', { attempts: attempts(refused) }, /ai-engine: refused/],
    ['a proxy that was not asked', { attempts: new Map([['gateway', through]]) }, /not every proxy/],
  ],
);

const shown = (uris: readonly string[], keyType?: string) => [
  {
    name: 'gateway',
    expected: id('gateway'),
    attempt: { kind: 'answered', status: 403, peer: peer(uris, keyType), ticket: false } as const,
  },
];

const heard = (...ids: string[]) => [{ expected: id('gateway'), heard: ids }];

judged('spiffe-identity', judgeIdentity, { shown: shown([id('gateway')]), callers: heard(id('gateway')) }, [
  ['no proxy', { shown: [] }, /nothing was seen/],
  ['another identity', { shown: shown([id('execution')]) }, /gateway shows .*execution/],
  ['two identities', { shown: shown([id('gateway'), id('execution')]) }, /gateway shows/],
  ['no identity', { shown: shown([]) }, /no URI/],
  ['an ECDSA key', { shown: shown([id('gateway')], 'ec') }, /type ec/],
  [
    'a proxy that does not answer',
    {
      shown: [
        { name: 'gateway', expected: id('gateway'), attempt: { kind: 'refused', reason: 'ECONNRESET' } },
      ],
    },
    /ECONNRESET/,
  ],
  ['a forged caller', { callers: heard(id('execution')) }, /heard that .*execution/],
  ['a caller beside the real one', { callers: heard(id('gateway'), id('x')) }, /heard/],
  ['no caller', { callers: heard() }, /nobody/],
]);

const call = { from: 'gateway', to: 'ai-engine', method: 'POST', path: '/predict' };
const answered = (status: number, body: string) => ({ calls: [{ call, answer: { status, body } }] });

judged(
  'allowed-call',
  ({ calls }: { calls: readonly AnsweredCall[] }) => judgeAllowed(calls),
  answered(200, '{"service":"ai-engine"}'),
  [
    ['no call', { calls: [] }, /no call/],
    ['a denial', answered(403, '{}'), /HTTP 403/],
    ['another application', answered(200, '{"service":"execution"}'), /execution answered/],
    ['something else', answered(200, 'hello'), /something else answered/],
  ],
);

const denial = (change: { status?: number; header?: string; body?: string } = {}) => {
  const details = 'rbac_access_denied_matched_policy[deny:quantum-trader/ai-engine]';
  const { status = 403, header = details, body = details } = change;
  const answer = { status, headers: { 'x-trellis-denied': header }, body };
  return { calls: [{ call, policy: 'quantum-trader/ai-engine', answer }] };
};

judged('denied-call', ({ calls }: { calls: readonly DeniedCall[] }) => judgeDenied(calls), denial(), [
  ['no call', { calls: [] }, /no call/],
  ['an answer', denial({ status: 200 }), /HTTP 200/],
  ['no name', denial({ header: '' }), /says nothing/],
  [
    'another name',
    denial({ header: 'x[deny:quantum-trader/execution]' }),
    /not \[deny:quantum-trader\/ai-engine\]/,
  ],
  ['a name that only begins so', denial({ header: 'x[deny:quantum-trader/ai-engine-2]' }), /not \[deny/],
  ['a body without it', denial({ body: '{}' }), /body/],
]);

const attack = {
  name: 'X25519 only',
  attempt: refused,
  counted: { name: 'connection_error', before: 1, after: 2 },
};
const refusals = { controls: [through, through], attacks: [attack] };

judged('refusals', judgeRefusals, refusals, [
  ['no attack', { attacks: [] }, /nothing was tried/],
  ['no control', { controls: [] }, /nothing was tried/],
  ['an attack that got through', { attacks: [{ ...attack, attempt: through }] }, /got through, HTTP 403/],
  [
    'an attack on nobody',
    { attacks: [{ ...attack, attempt: { kind: 'failed', reason: 'ECONNREFUSED' } }] },
    /neither/,
  ],
  ['a right client that is refused before', { controls: [refused, through] }, /right client did not/],
  ['a right client that is refused afterwards', { controls: [through, refused] }, /right client did not/],
  [
    'a refusal for another reason',
    { attacks: [{ ...attack, counted: { name: 'fail_verify_error', before: 2, after: 2 } }] },
    /did not count it under fail_verify_error/,
  ],
]);

judged(
  'classical-client-refused',
  ({ seen, versatile }: { seen: RefusalObservation; versatile: Attempt }) => judgeClassical(seen, versatile),
  { seen: refusals, versatile: through },
  [
    [
      'an attack that got through',
      { seen: { ...refusals, attacks: [{ ...attack, attempt: through }] } },
      /got through/,
    ],
    [
      'a server that takes ECDSA as well',
      { versatile: { ...through, peer: { ...peer([]), wants: ['id-ml-dsa-65+UNDEF', 'ECDSA+SHA256'] } } },
      /would take .*ECDSA\+SHA256/,
    ],
    [
      'a server that takes ECDSA only',
      { versatile: { ...through, peer: { ...peer([]), wants: ['ECDSA+SHA256'] } } },
      /would take/,
    ],
    ['a client that learns nothing', { versatile: refused }, /none/],
  ],
);

judged(
  'classical-anchor-refused',
  ({ seen, anchors }: { seen: RefusalObservation; anchors: readonly string[] }) => judgeAnchor(seen, anchors),
  { seen: refusals, anchors: ['ml-dsa-65'] },
  [
    [
      'an attack that got through',
      { seen: { ...refusals, attacks: [{ ...attack, attempt: through }] } },
      /got through/,
    ],
    ['an ECDSA anchor', { anchors: ['ml-dsa-65', 'ec'] }, /anchors of type ml-dsa-65, ec/],
    ['no anchor', { anchors: [] }, /none/],
  ],
);

const closed = { end: 'closed', received: Buffer.alloc(0) } as const;
const bytes = (text: string) => ({ end: 'closed', received: Buffer.from(text) }) as const;

judged(
  'plaintext-refused',
  judgePlaintext,
  { attacks: new Map([['HTTP/1.1', closed]]), control: bytes('HTTP/1.1 200') },
  [
    ['nothing tried', { attacks: new Map() }, /nothing was tried/],
    ['an answer', { attacks: new Map([['HTTP/1.1', bytes('HTTP/1.1 400')]]) }, /got 12 bytes/],
    [
      'silence',
      { attacks: new Map([['HTTP/1.1', { end: 'silent', received: Buffer.alloc(0) } as const]]) },
      /silent/,
    ],
    [
      'no listener',
      { attacks: new Map([['x', { end: 'not connected', received: Buffer.alloc(0) } as const]]) },
      /not connected/,
    ],
    ['a client that cannot speak', { control: closed }, /no answer from the outbound listener/],
  ],
);

judged(
  'wrong-server-refused',
  judgeWrongServer,
  { before: 200, refused: 503, mismatches: { before: 0, after: 1 }, after: 200 },
  [
    ['it did not work before', { before: 503 }, /before: HTTP 503/],
    ['the impostor answered', { refused: 200 }, /HTTP 200/],
    ["the impostor's policy answered", { refused: 403 }, /HTTP 403/],
    ['no mismatch was counted', { mismatches: { before: 1, after: 1 } }, /fail_verify_san/],
    ['it does not work afterwards', { after: 503 }, /afterwards: HTTP 503/],
  ],
);
