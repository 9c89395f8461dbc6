// What ajv found, in words that help: which field, what is wrong, what would be right.

import type { ErrorObject } from 'ajv';
import { type Issue, isRecord, ownField, valueAt } from './manifest.ts';
import { nearestName } from './nearest.ts';
import { type FieldPath, formatPath, type ProblemCode, quote } from './problem.ts';

/** Turns an error about a spec into an issue about the object that holds it. */
export function describeSchemaError(error: ErrorObject, spec: unknown): Issue {
  const at = pathOf(error.instancePath, spec);
  const say = (code: ProblemCode, path: FieldPath, text: string): Issue => {
    const full = ['spec', ...path];
    return { severity: 'error', code, path: full, message: `${formatPath(full)}: ${text}` };
  };
  const parameter = (name: string) => ownField(error.params, name);
  switch (error.keyword) {
    case 'additionalProperties': {
      const field = String(parameter('additionalProperty'));
      return say('UnknownField', [...at, field], unknownField(field, error.parentSchema));
    }
    case 'required': {
      const field = String(parameter('missingProperty'));
      return say('MissingField', [...at, field], 'missing; it is required here');
    }
    case 'x-kubernetes-validations': {
      const field = parameter('fieldPath');
      const path =
        typeof field === 'string' ? [...at, ...field.split('.').filter((step) => step !== '')] : at;
      return say('RuleViolated', path, error.message ?? 'a rule of the schema does not hold');
    }
    case 'x-kubernetes-list-map-keys': {
      const keys = (parameter('keys') as string[]).join(' and ');
      const text = `has the same ${keys} as item ${parameter('first')}; in this list each may occur once`;
      return say('InvalidField', [...at, parameter('index') as number], text);
    }
    default:
      return say('InvalidField', at, invalidValue(error, parameter));
  }
}

function unknownField(field: string, parentSchema: unknown): string {
  const known = Object.keys((ownField(parentSchema, 'properties') as object | undefined) ?? {});
  const near = nearestName(field, known);
  return near === undefined
    ? `unknown field; the fields here are ${known.join(', ')}`
    : `unknown field; did you mean ${near}?`;
}

function invalidValue(error: ErrorObject, parameter: (name: string) => unknown): string {
  const { data } = error;
  switch (error.keyword) {
    case 'type':
      if (data === null) return 'has no value; remove the field or give it one';
      return `must be ${withArticle(String(parameter('type')))}, not ${quote(isRecord(data) || Array.isArray(data) ? kindOf(data) : data)}`;
    case 'enum':
      return `${quote(data)} is not one of ${(parameter('allowedValues') as unknown[]).join(', ')}`;
    case 'minimum':
    case 'maximum':
      return `${quote(data)} is out of range; it must be ${parameter('comparison')} ${parameter('limit')}`;
    case 'pattern':
      return `${quote(data)} does not have the form that is asked for${described(error)}`;
    case 'format':
      return `${quote(data)} is not a valid ${parameter('format')}`;
    case 'minItems':
      return 'is empty; remove the field or list at least one item';
    case 'minProperties':
      return 'is empty; remove the field or fill it in';
    case 'maxItems':
    case 'maxProperties':
    case 'maxLength':
      return `is too long; at most ${parameter('limit')} ${units[error.keyword] ?? ''} are allowed`;
    case 'minLength':
      return `is too short; it needs at least ${parameter('limit')} characters`;
    default:
      return error.message ?? 'is not valid';
  }
}

const units: Readonly<Record<string, string>> = {
  maxItems: 'items',
  maxProperties: 'entries',
  maxLength: 'characters',
};

/** The schema's own description says what a value looks like better than its pattern does. */
function described(error: ErrorObject): string {
  const description = ownField(error.parentSchema, 'description');
  return typeof description === 'string' ? `: ${description}` : '';
}

function withArticle(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function kindOf(value: object): string {
  return Array.isArray(value) ? 'a list' : 'a mapping';
}

/** A JSON pointer (RFC 6901) as a path; array indices become numbers, as seen from the data. */
function pathOf(pointer: string, root: unknown): FieldPath {
  const path: (string | number)[] = [];
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(valueAt(root, path)) ? Number(name) : name);
  }
  return path;
}
