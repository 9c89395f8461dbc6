// May this caller make this call, and why? From the state of the mesh to an explanation, by the functions that the data
// plane is configured with and decides by. Nothing here reads or asks anything.

import { type MeshState, type NamespacedName, namespacedName } from '../model/mesh.ts';
import { compareText } from '../model/problem.ts';
import { effectivePolicy } from '../policy/effective.ts';
import { takesPart } from '../xds/translate/mesh.ts';
import { type Called, calledName } from './called.ts';
import type { Explanation, Target } from './explanation.ts';
import { attributes, identityOf, type Question, wayTo } from './question.ts';
import { type AskedRequest, defaultPath, isRemoved } from './request.ts';
import { throughProxy } from './through-proxy.ts';
import { withoutProxy } from './without-proxy.ts';

/** Never asks `verifyToken` unless a rule that is about the call demands a token. */
export function explain(question: Question): Explanation {
  const { state, caller, called } = question;
  const policy = effectivePolicy(state, caller);
  const inMesh = takesPart(caller, policy);
  const answer = inMesh ? throughProxy(question, policy) : withoutProxy(question);
  const { route } = answer;
  const targets = answer.targets.toSorted(byWorkload);
  const refusal = route.kind === 'refused' ? route.reason : targets.find((target) => !target.allowed)?.reason;
  const isTcp = called.port.protocol === 'tcp';
  return {
    allowed: route.kind !== 'refused' && targets.length > 0 && targets.every((target) => target.allowed),
    reason: refusal,
    caller: { workload: namespacedName(caller), identity: identityOf(state, caller), inMesh },
    called: {
      kind: called.kind,
      name: calledName(called),
      port: called.port.port,
      protocol: called.port.protocol,
      through: through(state, called),
    },
    request: isTcp ? undefined : explainedRequest(question),
    route,
    targets,
    notes: [...answer.notes, ...requestNotes(question.asked, isTcp)],
  };
}

function through(state: MeshState, called: Called): NamespacedName | undefined {
  const service = wayTo(state, called)?.service;
  return service === undefined ? undefined : namespacedName(service);
}

function explainedRequest(question: Question): Explanation['request'] {
  const { method, path, host } = attributes(question, question.called.port);
  const headers = question.asked.headers.filter((header) => !isRemoved(header)).map(({ name }) => name);
  return { method, path, host, headers, token: question.token };
}

function requestNotes({ headers, method, path, token }: AskedRequest, isTcp: boolean): readonly string[] {
  const notes = headers
    .filter(isRemoved)
    .map(({ name }) => `the header ${name} is removed: proxies write it, callers may not`);
  if (!isTcp && path === undefined)
    notes.push(`no --path was given, so the question is about ${defaultPath}`);
  const useless =
    isTcp && (method !== undefined || path !== undefined || headers.length > 0 || token !== undefined);
  if (useless) notes.push('the port carries TCP, so methods, paths, headers and tokens have no part in it');
  return notes;
}

function byWorkload(a: Target, b: Target): number {
  const name = (target: Target): NamespacedName | string => target.workload ?? target.address;
  return compareText(name(a), name(b)) || a.port - b.port;
}
