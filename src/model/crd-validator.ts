// Validates custom resources with the schema of their own CustomResourceDefinition, as the API server does, but refusing
// unknown fields where the API server would only drop them: a misspelt field in a security policy must not be silent.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { addKubernetesKeywords } from './crd-keywords.ts';
import { describeSchemaError } from './crd-messages.ts';
import { type Issue, isRecord, ownField } from './manifest.ts';
import { ModelError } from './model-error.ts';
import { quote } from './problem.ts';

type CustomKind = 'QuantumSecurityPolicy' | 'QuantumService';
type JsonSchema = Record<string, unknown>;

/** Checks one custom resource. `spec` is a copy with the schema's defaults filled in, frozen. */
export type CustomResourceValidator = (
  kind: CustomKind,
  content: unknown,
) => { readonly spec: unknown; readonly issues: readonly Issue[] };

/** More errors than this for one object help nobody, and each costs memory. */
const maxIssuesPerObject = 20;

/**
 * Compiles the schemas of the custom resource definitions (the parsed YAML of charts/trellis/crds).
 * Throws ModelError when one is missing or has a rule that crd-rules.ts does not know.
 */
export function createCustomResourceValidator(definitions: readonly unknown[]): CustomResourceValidator {
  const validators = new Map<CustomKind, ValidateFunction>();
  for (const kind of ['QuantumSecurityPolicy', 'QuantumService'] as const) {
    validators.set(kind, compile(kind, specSchema(definitions, kind)));
  }
  return (kind, content) => {
    const issues = unknownTopLevelFields(content);
    const spec = structuredClone(ownField(content, 'spec'));
    if (spec === undefined) {
      return {
        spec,
        issues: [...issues, issue('MissingField', ['spec'], `spec: missing; a ${kind} needs one`)],
      };
    }
    const validate = validators.get(kind) as ValidateFunction;
    if (!validate(spec)) issues.push(...schemaIssues(validate.errors ?? [], spec));
    return { spec: deepFreeze(spec), issues: capped(issues) };
  };
}

function compile(kind: CustomKind, schema: JsonSchema): ValidateFunction {
  const ajv = new Ajv({
    allErrors: true,
    // The error then carries the schema around it, from which the message takes the known fields and allowed values.
    verbose: true,
    useDefaults: true,
    strict: true,
    // An object in a schema may constrain a field that its `properties` do not repeat.
    strictRequired: false,
  });
  addKubernetesKeywords(ajv);
  try {
    return ajv.compile(closed(schema) as JsonSchema);
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError('ERR_CRD_INVALID', `the schema of ${kind} cannot be compiled: ${String(cause)}`);
  }
}

function specSchema(definitions: readonly unknown[], kind: CustomKind): JsonSchema {
  for (const definition of definitions) {
    const spec = ownField(definition, 'spec');
    if (ownField(ownField(spec, 'names'), 'kind') !== kind) continue;
    const versions = ownField(spec, 'versions');
    const version = Array.isArray(versions)
      ? versions.find((entry) => ownField(entry, 'name') === 'v1')
      : undefined;
    const openApi = ownField(ownField(version, 'schema'), 'openAPIV3Schema');
    const schema = ownField(ownField(openApi, 'properties'), 'spec');
    if (isRecord(schema)) return schema;
  }
  throw new ModelError(
    'ERR_CRD_INVALID',
    `no CustomResourceDefinition of ${kind} with version v1 was found; the files in charts/trellis/crds come with Trellis, install it again`,
  );
}

/** The same schema with every object that lists its properties closed to others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isRecord(schema)) return schema;
  const copy: JsonSchema = {};
  for (const [key, value] of Object.entries(schema)) copy[key] = closed(value);
  if (
    copy['type'] === 'object' &&
    isRecord(copy['properties']) &&
    copy['additionalProperties'] === undefined
  ) {
    copy['additionalProperties'] = false;
  }
  return copy;
}

function unknownTopLevelFields(content: unknown): Issue[] {
  const known = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];
  return Object.keys(content as object)
    .filter((key) => !known.includes(key))
    .slice(0, maxIssuesPerObject + 1)
    .map((key) =>
      issue(
        'UnknownField',
        [key],
        `${quote(key)}: unknown field beside metadata and spec; did you mean to write it under spec?`,
      ),
    );
}

function schemaIssues(errors: readonly ErrorObject[], spec: unknown): Issue[] {
  // Where the type is wrong, the allowed values and the rules are beside the point.
  const mistyped = new Set(
    errors.filter((error) => error.keyword === 'type').map((error) => error.instancePath),
  );
  const secondary = ['enum', 'x-kubernetes-validations'];
  return errors
    .filter((error) => !(secondary.includes(error.keyword) && mistyped.has(error.instancePath)))
    .slice(0, maxIssuesPerObject + 1)
    .map((error) => describeSchemaError(error, spec));
}

function capped(issues: readonly Issue[]): readonly Issue[] {
  if (issues.length <= maxIssuesPerObject) return issues;
  const rest = issue('LimitExceeded', [], 'there are more problems in this object; mend these first');
  return [...issues.slice(0, maxIssuesPerObject), rest];
}

function issue(code: Issue['code'], path: Issue['path'], message: string): Issue {
  return { severity: 'error', code, path, message };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
