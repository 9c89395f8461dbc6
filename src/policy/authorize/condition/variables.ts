// What a condition can read.

import { dynamic, type Shape, scalar, text } from '../../condition/shape.ts';
import { unknownField } from '../../condition/vocabulary.ts';
import { PolicyError } from '../../errors.ts';
import {
  maxClaimChars,
  maxClaimValues,
  maxHeaderChars,
  maxHostChars,
  maxIdChars,
  maxMethodChars,
  maxPathChars,
} from './limits.ts';

/** Every variable but headers, with its shape. The length is also what the value is held to when there is one. */
export const variables = {
  'source.principal': text(maxIdChars),
  'source.namespace': text(maxIdChars),
  'source.serviceAccount': text(maxIdChars),
  'destination.port': scalar('int'),
  'request.method': text(maxMethodChars),
  'request.path': text(maxPathChars),
  'request.query': text(maxPathChars),
  'request.host': text(maxHostChars),
  'token.subject': text(maxIdChars),
  'token.audience': text(maxIdChars),
  'token.type': text(maxMethodChars),
  'token.claims': dynamic(maxClaimChars + maxClaimValues, maxClaimValues),
  now: scalar('timestamp'),
} as const satisfies Record<string, Shape>;

export type Variable = keyof typeof variables;

export const headerShape: Shape = text(maxHeaderChars);

const headers = 'headers';
export const rootNames: readonly string[] = [
  ...new Set(Object.keys(variables).map((name) => name.split('.')[0] ?? name)),
];

export function isRoot(name: string): boolean {
  return rootNames.includes(name);
}

export function isHeaders(root: string, field: string): boolean {
  return root === 'request' && field === headers;
}

function isVariable(name: string): name is Variable {
  return Object.hasOwn(variables, name);
}

/** The variable of a root and a field. @throws PolicyError ERR_CONDITION_NAME */
export function findVariable(root: string, field: string): Variable {
  const name = `${root}.${field}`;
  if (isVariable(name)) return name;
  if (root === 'now')
    throw new PolicyError(
      'ERR_CONDITION_NAME',
      'now is a point in time and has no fields; write now.getHours()',
    );
  throw unknownField(root, field, fieldsOf(root));
}

export function fieldsOf(root: string): readonly string[] {
  const prefix = `${root}.`;
  const own = Object.keys(variables)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  return root === 'request' ? [...own, headers] : own;
}

/** RFC 9110 §5.1, in the one case in which HTTP/2 and Envoy carry it. */
const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const maxHeaderNameChars = 128;

const fieldOfPseudoHeader: Readonly<Record<string, Variable>> = {
  ':path': 'request.path',
  ':method': 'request.method',
  ':authority': 'request.host',
  // Envoy makes :authority of it.
  host: 'request.host',
};

/** @throws PolicyError ERR_CONDITION_NAME for a name under which no header can arrive */
export function checkHeaderName(name: string): void {
  const quoted = JSON.stringify(name.slice(0, maxHeaderNameChars));
  if (Object.hasOwn(fieldOfPseudoHeader, name)) {
    throw nameError(`${quoted} is not among the headers; write ${fieldOfPseudoHeader[name]}`);
  }
  if (name.length > maxHeaderNameChars) throw nameError(`the header name ${quoted}… is too long`);
  if (headerName.test(name)) return;
  const lower = name.toLowerCase();
  if (headerName.test(lower)) {
    throw nameError(`headers arrive in lower case, ${quoted} never does; write request.headers['${lower}']`);
  }
  throw nameError(`${quoted} is no name of a header`);
}

export function headersByNameOnly(): PolicyError {
  return nameError(
    `request.headers can only be asked for one header, by a name that is written out: request.headers['x-tenant'], 'x-tenant' in request.headers, has(request.headers.cookie)`,
  );
}

function nameError(message: string): PolicyError {
  return new PolicyError('ERR_CONDITION_NAME', message);
}
