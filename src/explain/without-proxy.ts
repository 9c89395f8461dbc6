// A call from a workload that has no proxy: it has no identity to show, so only plaintext is left.

import { type Endpoint, type MeshState, namespacedName, type Workload } from '../model/mesh.ts';
import { denialReason } from '../policy/denial-reason.ts';
import { effectivePolicy } from '../policy/effective.ts';
import { takesPart } from '../xds/translate/mesh.ts';
import { conflictAction } from '../xds/translate/rbac.ts';
import type { Called } from './called.ts';
import type { Target } from './explanation.ts';
import {
  type Answer,
  allowedInPlaintext,
  attributes,
  bare,
  identityOf,
  plaintextTarget,
  type Question,
} from './question.ts';
import { policyVerdicts } from './target.ts';

/** Pods outside the mesh take it, and those in it where their policies do not require encryption. */
export function withoutProxy(question: Question): Answer {
  const { state, caller, called } = question;
  const targets = directEndpoints(state, called).map(({ endpoint, workload }) =>
    workload === undefined ? plaintextTarget(state, endpoint) : directTarget(question, endpoint, workload),
  );
  const why = caller.meshed
    ? `${namespacedName(caller)} does not take part in the mesh: a policy says postQuantumEncryption: disabled`
    : `${namespacedName(caller)} has no proxy: it does not mount the volume of its identity (csi.trellis.quantum.io)`;
  const open = targets.some(({ connection }) => connection.encryption === 'refused')
    ? [
        'the port of the application itself is not closed by the mesh: a network policy has to keep callers from it',
      ]
    : [];
  return { route: { kind: 'without-proxy' }, targets, notes: [why, ...open] };
}

interface Direct {
  readonly endpoint: Endpoint;
  readonly workload: Workload | undefined;
}

function directEndpoints(state: MeshState, called: Called): readonly Direct[] {
  if (called.kind === 'pod') {
    const { workload, port } = called;
    const [address = ''] = workload.addresses;
    return [{ endpoint: { address, port: port.port, workload: namespacedName(workload) }, workload }];
  }
  return called.port.endpoints.map((endpoint) => ({
    endpoint,
    workload: endpoint.workload === undefined ? undefined : state.workloads.get(endpoint.workload),
  }));
}

/** What a pod says to a connection that comes to its application without the mesh. */
function directTarget(question: Question, endpoint: Endpoint, workload: Workload): Target {
  const { state, called } = question;
  const { address, port } = endpoint;
  const policy = effectivePolicy(state, workload);
  const [conflict] = policy.conflicts;
  const own = bare(state, workload, address, port);
  const isOpen = policy.postQuantumEncryption !== 'required' && conflict === undefined;
  if (isOpen || !takesPart(workload, policy)) return { ...own, ...allowedInPlaintext };
  const nobody = attributes(question, { port, protocol: called.port.protocol }, '');
  return {
    ...own,
    allowed: false,
    reason:
      conflict === undefined
        ? denialReason(policy.encryptionPolicies, 'postQuantumEncryption')
        : conflictAction(conflict),
    decidedBy: 'nobody',
    connection: { encryption: 'refused' },
    policies: policyVerdicts(question, workload, identityOf(state, workload), nobody),
  };
}
