// What is to be done about the webhook's certificates, given what there is: a function of the Secret, of what this replica remembers,
// and of the time. It is asked again and again, and takes one step at a time:
//
//   prepare    a new CA is made; both are trusted, the old one signs
//   activate   after every API server has had time to learn of it, the new one signs; both are trusted
//   retire     after every replica has had time to serve what it signed, it alone is trusted
//
// So whatever is served, by replicas that are behind too, is vouched for by a CA that API servers trust.

import type { Certificate } from '../../crypto/x509/certificate.ts';
import { CertificateError } from './errors.ts';
import { type CertificateRandomness, newAuthority, newLeaf, validityFrom } from './issue.ts';
import type { StoredState } from './secret-data.ts';
import { isValidAt, type KeyedCertificate, type ServingState, vouchesFor } from './serving-state.ts';
import { type CertificateTiming, jitterShare, renewalShare } from './timing.ts';

export interface PlanInput {
  /** What the Secret holds. */
  readonly stored: StoredState;
  /** The last good state that this replica saw. */
  readonly known: ServingState | undefined;
  /** The CAs that are in the webhook configurations. */
  readonly trusted: readonly Certificate[];
  /** How long the stored state has been stored, and its bundle in all webhook configurations, without interruption. */
  readonly settledMs: number;
  readonly now: Date;
  /** DNS names by which API servers call. */
  readonly names: readonly string[];
  readonly random: CertificateRandomness;
  readonly timing: Pick<
    CertificateTiming,
    'caLifetimeMs' | 'leafLifetimeMs' | 'propagationMs' | 'urgentMs' | 'retireMs'
  >;
}

export type PlanStep =
  | 'created'
  /** The Secret was empty, damaged or set back, and gets what this replica remembers. */
  | 'restored'
  | 'ca-prepared'
  | 'ca-activated'
  | 'ca-retired'
  | 'leaf-renewed';

export interface Plan {
  /** To be stored, if anything changed, and then to be served. */
  readonly state: ServingState;
  /** What is different from what is stored; empty when nothing is. */
  readonly steps: readonly PlanStep[];
}

/** CAs that are trusted and sign no more: one, unless clocks have jumped. */
export const maxPrevious = 3;

/** @throws CertificateError ERR_SERVING_CERTIFICATE_FOREIGN */
export function planServingCertificate(input: PlanInput): Plan {
  const begun = begin(input);
  const authorities = stepAuthority(begun, input);
  const { leaf, steps } = stepLeaf(authorities, input);
  const generation = begun.generation + (steps.length === 0 ? 0 : 1);
  const { authority, next, previous } = authorities;
  return { state: { generation, authority, leaf, next, previous }, steps };
}

/** A state in the making. */
interface Draft extends Omit<ServingState, 'leaf'> {
  readonly leaf: KeyedCertificate | undefined;
  readonly steps: readonly PlanStep[];
  readonly settledMs: number;
  /** A new CA is asked for. */
  readonly rotate: boolean;
}

function begin(input: PlanInput): Draft {
  const { stored, known } = input;
  if (stored.kind === 'foreign' && !resembles(stored, known)) {
    throw new CertificateError(
      'ERR_SERVING_CERTIFICATE_FOREIGN',
      'the Secret of the serving certificate holds one that Trellis did not make, and keeps it: serve it with --certificate files, or empty the Secret',
    );
  }
  const isCurrent = known === undefined || stored.generation >= known.generation;
  if (stored.kind === 'found' && isCurrent && isUsable(stored, input.now)) {
    const { generation, authority, leaf, next, previous } = stored;
    const mended: PlanStep[] = stored.problems.length === 0 ? [] : ['restored'];
    const { settledMs } = input;
    return { generation, authority, leaf, next, previous, steps: mended, settledMs, rotate: false };
  }
  const highest = Math.max(stored.generation, known?.generation ?? 0);
  const begun = { generation: highest, settledMs: 0 };
  // To empty the Secret is how to ask for another CA: it comes without interruption.
  if (known !== undefined)
    return { ...known, ...begun, steps: ['restored'], rotate: stored.kind === 'empty' };
  const authority = newAuthority(validityFrom(input.now, input.timing.caLifetimeMs, undefined), input.random);
  // Another replica may still serve what one of these signed.
  const previous = input.trusted
    .filter((certificate) => isValidAt(certificate, input.now))
    .slice(-maxPrevious);
  return {
    ...{ ...begun, authority, previous, leaf: undefined, next: undefined },
    ...{ steps: ['created'], rotate: false },
  };
}

/** A CA that can sign, or has signed what can be served until another one does. */
function isUsable(
  stored: StoredState,
  now: Date,
): stored is StoredState & { readonly authority: KeyedCertificate } {
  const { authority, leaf } = stored;
  return authority !== undefined && (leaf !== undefined || now <= authority.certificate.notAfter);
}

/** Lost the mark of being ours, but not the rest of it. */
function resembles({ authority, leaf }: StoredState, known: ServingState | undefined): boolean {
  const same = (a: KeyedCertificate | undefined, b: KeyedCertificate): boolean =>
    a?.certificate.der.equals(b.certificate.der) === true;
  return known !== undefined && (same(authority, known.authority) || same(leaf, known.leaf));
}

function stepAuthority(draft: Draft, { now, random, timing }: PlanInput): Draft {
  const { authority, next, previous, settledMs } = draft;
  const current = authority.certificate;
  const isUrgent = !isValidAt(current, now);
  if (next !== undefined && isValidAt(next.certificate, now)) {
    if (settledMs < (isUrgent ? timing.urgentMs : timing.propagationMs)) return draft;
    return {
      ...{ ...draft, authority: next, next: undefined },
      previous: [...previous, current].slice(-maxPrevious),
      steps: [...draft.steps, 'ca-activated'],
    };
  }
  if (isUrgent || draft.rotate || next !== undefined || isDue(current, timing.caLifetimeMs, now)) {
    const validity = validityFrom(now, timing.caLifetimeMs, current);
    return { ...draft, next: newAuthority(validity, random), steps: [...draft.steps, 'ca-prepared'] };
  }
  if (previous.length === 0 || settledMs < timing.retireMs) return draft;
  return { ...draft, previous: [], steps: [...draft.steps, 'ca-retired'] };
}

function stepLeaf(
  { authority, leaf, steps }: Draft,
  { now, random, names, timing }: PlanInput,
): { leaf: KeyedCertificate; steps: readonly PlanStep[] } {
  const isOurs = leaf !== undefined && vouchesFor(authority.certificate, leaf.certificate);
  if (isOurs) {
    // A CA that has ended signs nothing more, and is being replaced.
    if (now > authority.certificate.notAfter) return { leaf, steps };
    const isDue = isLeafDue(leaf.certificate, authority.certificate, now, timing.leafLifetimeMs);
    if (isNamed(leaf.certificate, names) && !isDue) return { leaf, steps };
  }
  const validity = validityFrom(now, timing.leafLifetimeMs, leaf?.certificate);
  const renewed = newLeaf(authority, names, validity, random);
  // A CA's first leaf is part of the CA's step.
  return { leaf: renewed, steps: isOurs || steps.length === 0 ? [...steps, 'leaf-renewed'] : steps };
}

function isNamed({ extensions }: Certificate, names: readonly string[]): boolean {
  const has = extensions.subjectAltName?.dnsNames ?? [];
  return names.every((name) => has.includes(name));
}

function isLeafDue(leaf: Certificate, authority: Certificate, now: Date, lifetimeMs: number): boolean {
  // It cannot get older than its CA.
  return now < leaf.notBefore || (leaf.notAfter < authority.notAfter && isDue(leaf, lifetimeMs, now));
}

/** By what is left of a life, not by its beginning, which says nothing about when it was issued. */
function isDue({ notAfter, serial }: Certificate, lifetimeMs: number, now: Date): boolean {
  const chance = (serial.at(-1) ?? 0) / 256;
  const left = lifetimeMs * (renewalShare + jitterShare * chance);
  return notAfter.getTime() - now.getTime() <= left;
}
