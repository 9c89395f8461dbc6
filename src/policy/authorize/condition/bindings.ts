// From a request to the values that one condition reads; nothing else of the request is looked at.

import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { most } from '../../condition/amount.ts';
import { type Bindings, emptyBindings } from '../../condition/engine.ts';
import type { Cause } from '../decision.ts';
import type { DecidedRequest } from '../request.ts';
import type { VerifiedToken } from '../token.ts';
import { celClaims } from './claims.ts';
import { maxHeaderChars } from './limits.ts';
import type { ConditionReads } from './reads.ts';
import { type Variable, variables } from './variables.ts';

export interface ConditionInput {
  readonly request: DecidedRequest;
  /** SPIFFE ID of the workload that is called. */
  readonly workload: string;
  /** Of a rule that asks for one, once it is verified. */
  readonly token: VerifiedToken | undefined;
  readonly now: Date;
}

type Value = Bindings[string];

/** @returns why a value is not fit to be decided by, or the values */
export function bind(reads: ConditionReads, input: ConditionInput): Cause | Bindings {
  const bindings = emptyBindings();
  if (reads.variables.includes('request.path') && hasHiddenDots(input.request.segments))
    return 'ambiguous-path';
  for (const variable of reads.variables) {
    const value = read(variable, input);
    if (value === undefined || (typeof value === 'string' && value.length > most(variables[variable].size))) {
      return 'input-too-large';
    }
    bindings[variable] = value;
  }
  for (const header of reads.headers) {
    const { attributes } = input.request;
    const values = attributes.header(header.name);
    if (values.length > 1 || attributes.hasTwin(header.name)) return 'duplicate-header';
    const [value] = values;
    bindings[header.presence] = value !== undefined;
    if (value === undefined) continue;
    if (value.length > maxHeaderChars) return 'input-too-large';
    // What decoding puts where bytes are no UTF-8: two different headers would read the same.
    if (value.includes('\ufffd')) return 'invalid-header';
    // HTTP/2 carries it and no HTTP/1 recipient sees it (RFC 9113 §8.2.1, RFC 9110 §5.5): the two would read different values.
    if (/^[ \t]|[ \t]$/.test(value)) return 'invalid-header';
    bindings[header.value] = value;
  }
  return bindings;
}

/** Where path parameters begin. */
const parameters = /;|%3b/i;

/**
 * A segment that is `.` or `..` once its parameters are left off: Envoy has resolved the bare ones and those it did not
 * have to decode first, but servers that know parameters would resolve these too.
 */
function hasHiddenDots(segments: readonly string[]): boolean {
  return segments.some((segment) => {
    const [name = ''] = segment.split(parameters, 1);
    return name !== segment && (name === '.' || name === '..');
  });
}

/** Undefined: claims that are too large. */
function read(variable: Variable, { request, workload, token, now }: ConditionInput): Value | undefined {
  switch (variable) {
    case 'source.principal':
      return request.principal;
    case 'source.namespace':
      return partOf(request.principal, workload, 'namespace');
    case 'source.serviceAccount':
      return partOf(request.principal, workload, 'serviceAccount');
    case 'destination.port':
      return BigInt(request.attributes.port);
    case 'request.method':
      return request.attributes.method;
    case 'request.path':
      return request.pathname;
    case 'request.query':
      return request.query;
    case 'request.host':
      return hostName(request.attributes.host);
    case 'token.subject':
      return token?.subject ?? '';
    case 'token.audience':
      return token?.audience ?? '';
    case 'token.type':
      return token?.type ?? '';
    case 'token.claims':
      return celClaims(token?.claims ?? {});
    case 'now':
      return timestampFromDate(now);
  }
}

const workloadId = /^(spiffe:\/\/[^/]+)\/ns\/(?<namespace>[^/]+)\/sa\/(?<serviceAccount>[^/]+)$/;

/**
 * Namespace or service account of a caller of the workload's own trust domain; empty for any other. Another mesh may have
 * a namespace of the same name.
 */
function partOf(principal: string, workload: string, part: 'namespace' | 'serviceAccount'): string {
  const caller = workloadId.exec(principal);
  if (caller === null || caller[1] !== workloadId.exec(workload)?.[1]) return '';
  return caller.groups?.[part] ?? '';
}

/** One spelling of a host: lower case, and without the dot that ends a fully qualified name. Its port stays. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/\.(?=:\d*$|$)/, '');
}
