// An explanation for people: the answer first, then what it rests on, in two columns.

import type {
  Connection,
  Explanation,
  PolicyVerdict,
  RuleForCaller,
  Target,
} from '../../explain/explanation.ts';
import type { Cause } from '../../policy/authorize/decision.ts';
import { columns, type Row } from '../columns.ts';

/** Several lines, without a newline at the end. */
export function renderExplanation(explanation: Explanation): string {
  const { targets, notes } = explanation;
  const lines = [headline(explanation), '', ...columns(callRows(explanation))];
  for (const target of targets) {
    const several = targets.length > 1 ? [`${verdict(target.allowed)}  ${nameOf(target)}`] : [];
    lines.push('', ...several, ...columns(targetRows(target, targets.length > 1)));
  }
  if (notes.length > 0) lines.push('', ...columns(notes.map((note) => ['note', note])));
  return lines.join('\n');
}

function headline({ allowed, caller, called, request }: Explanation): string {
  const what = request === undefined ? 'TCP' : `${request.method} ${request.path}`;
  return `${verdict(allowed)}  ${caller.workload} → ${called.name}:${called.port}  ${what}`;
}

function verdict(allowed: boolean): string {
  return allowed ? 'allowed' : 'denied ';
}

function callRows({ allowed, reason, caller, called, route, request, targets }: Explanation): readonly Row[] {
  const rows: Row[] = [];
  if (!allowed) rows.push(['reason', reason ?? 'no pod would get the call']);
  rows.push(['caller', caller.identity]);
  if (request?.token !== undefined) rows.push(['token', tokenText(request.token)]);
  if (called.kind === 'pod' && called.through !== undefined)
    rows.push(['through', `Service ${called.through}`]);
  if (route.kind === 'refused') rows.push(['refused by', `the caller's own proxy, with ${route.status}`]);
  if (targets.length > 1)
    rows.push(['pods', `${targets.filter((each) => each.allowed).length} of ${targets.length} allow it`]);
  return rows;
}

function tokenText(token: NonNullable<NonNullable<Explanation['request']>['token']>): string {
  if (!token.valid) return `not valid: ${token.failure}`;
  return `${token.type}, of ${token.subject}, for ${token.audience}, until ${token.expiresAt}`;
}

/** @param several whether there are others, which may have other reasons */
function targetRows(target: Target, several: boolean): readonly Row[] {
  const { allowed, reason, identity, connection, policies, audit } = target;
  const rows: Row[] = [];
  rows.push([
    'called',
    `${nameOf(target)}, port ${target.port}${identity === undefined ? '' : `, ${identity}`}`,
  ]);
  rows.push(...connectionRows(connection));
  rows.push(['decided by', deciderText(target)]);
  if (several && !allowed && reason !== undefined) rows.push(['reason', reason]);
  const width = Math.max(0, ...policies.map(({ policy }) => policy.length));
  for (const policy of policies) rows.push(...policyRows(policy, width));
  if (policies.length === 0 && connection.encryption === 'mutual-tls')
    rows.push(['policies', 'none selects it']);
  for (const each of audit) rows.push(['audit', `${each} (recorded, not enforced)`]);
  return rows;
}

function nameOf({ workload, address }: Target): string {
  return workload ?? address;
}

function deciderText({ decidedBy, connection }: Target): string {
  switch (decidedBy) {
    case 'envoy':
      return 'Envoy alone';
    case 'agent':
      return 'the agent of the called pod, asked by its Envoy';
    case 'nobody':
      return connection.encryption === 'refused'
        ? 'nothing: there is no connection to decide about'
        : 'nobody: what goes in plaintext goes past the mesh';
  }
}

function connectionRows(connection: Connection): readonly Row[] {
  switch (connection.encryption) {
    case 'plaintext':
      return [['connection', 'plaintext, nobody proves who it is']];
    case 'refused':
      return [['connection', 'none']];
    case 'mutual-tls': {
      const { version, group, signature, clientCertificate, counterSignature } = connection;
      const asked =
        clientCertificate === 'required'
          ? 'a client certificate is required'
          : 'a client certificate is optional';
      return [
        ['connection', `${version}, ${group}, ${signature} certificates on both sides; ${asked}`],
        [
          'counter-sig.',
          counterSignature.length === 0
            ? 'not demanded'
            : `demanded by ${counterSignature.join(', ')}: the agent checks it once per connection`,
        ],
      ];
    }
  }
}

function policyRows(verdictOfPolicy: PolicyVerdict, width: number): readonly Row[] {
  const { policy, enforcement, rulesForCaller } = verdictOfPolicy;
  const label = enforcement === 'enforce' ? 'policy' : enforcement;
  const rows: Row[] = [[label, `${policy.padEnd(width)}  ${policyText(verdictOfPolicy)}`]];
  for (const rule of rulesForCaller) rows.push(['', `${' '.repeat(width)}  it may: ${ruleText(rule)}`]);
  return rows;
}

function policyText(policy: PolicyVerdict): string {
  return `${rulesText(policy)}${settingsText(policy)}`;
}

function rulesText({ allows, rule, cause, rulesForCaller, enforcement }: PolicyVerdict): string {
  const [yes, no] = enforcement === 'enforce' ? ['allows', 'denies'] : ['would allow', 'would deny'];
  if (allows === undefined) return 'has no rules about callers';
  if (allows) return `${yes}, by rule ${rule}`;
  if (rule !== undefined) return `${no}: rule ${rule} ${causeText(cause as Cause)}`;
  return rulesForCaller.length === 0
    ? `${no}: no rule is about this caller`
    : `${no}: no rule lets this caller do that`;
}

function settingsText({ postQuantumEncryption, quantumAuthentication }: PolicyVerdict): string {
  const settings = [
    postQuantumEncryption === undefined ? [] : [`encryption ${postQuantumEncryption}`],
    quantumAuthentication === undefined ? [] : [`authentication ${quantumAuthentication}`],
  ].flat();
  return settings.length === 0 ? '' : ` (${settings.join(', ')})`;
}

/** After "rule 2 …". */
const causeTexts: Readonly<Record<Cause, string>> = {
  'no-rule': 'does not match',
  'token-missing': 'asks for a token (Authorization: Bearer), and there is none',
  'token-malformed': 'asks for a token, and this is none',
  'token-unknown-key': 'asks for a token, and this one is signed with a key that is not of the trust domain',
  'token-algorithm': 'asks for a token, and this one claims another algorithm than its key has',
  'token-signature': 'asks for a token, and the signature of this one is wrong',
  'token-expired': 'asks for a token, and this one has expired',
  'token-not-yet-valid': 'asks for a token, and this one is not valid yet',
  'token-lifetime': 'asks for a token, and this one is made for longer than five minutes',
  'token-audience': 'asks for a token, and this one is for somebody else',
  'token-subject': 'asks for a token, and this one names somebody whom it does not take',
  'token-type': 'asks for a token of another kind',
  'token-quarantined': 'asks for a token, and this one names somebody in quarantine',
  'ambiguous-path': 'matches, but its condition reads a path that some servers take for another one (..;)',
  'condition-false': 'matches, but its condition is false',
  'condition-error':
    'matches, but its condition cannot be answered for this request (a header that is not there?)',
  'duplicate-header': 'matches, but a header that it reads occurs more than once',
  'invalid-header': 'matches, but a header that it reads is not UTF-8',
  'input-too-large': 'matches, but a value that its condition reads is too long',
  'condition-cost': 'matches, but the conditions asked for this request cost too much together',
};

function causeText(cause: Cause): string {
  return causeTexts[cause];
}

function ruleText({ rule, to, token, condition }: RuleForCaller): string {
  const operations = to?.map(({ methods, paths, ports }) => {
    const what = [methods?.join(','), paths?.join(' ')].filter((part) => part !== undefined).join(' ');
    const where = ports === undefined ? '' : `port ${ports.join(',')}`;
    return [what, where].filter((part) => part !== '').join(' on ');
  });
  const extras = [
    ...(token === undefined ? [] : ['with a token']),
    ...(condition === undefined ? [] : [`if ${condition}`]),
  ];
  return [operations?.join('; ') ?? 'everything', ...extras, `(rule ${rule})`].join(' ');
}
