// What the schemas of CustomResourceDefinitions have beyond JSON Schema, taught to ajv.

import type { Ajv, FuncKeywordDefinition } from 'ajv';
import { ruleTwins } from './crd-rules.ts';
import { ownField } from './manifest.ts';
import { ModelError } from './model-error.ts';

/** Bounds of the OpenAPI integer formats. JSON numbers beyond 2^53 have lost digits already, so int64 stops there. */
const integerBounds = { int32: 2 ** 31, int64: Number.MAX_SAFE_INTEGER };

export function addKubernetesKeywords(ajv: Ajv): void {
  for (const [name, bound] of Object.entries(integerBounds)) {
    ajv.addFormat(name, { type: 'number', validate: (value) => value >= -bound && value < bound });
  }
  ajv.addFormat('date-time', { type: 'string', validate: isRfc3339 });
  ajv.addKeyword({ keyword: 'x-kubernetes-list-type', schemaType: 'string' });
  ajv.addKeyword(listMapKeys);
  ajv.addKeyword(validations);
}

function isRfc3339(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text))
  );
}

type DataValidateFunction = ReturnType<NonNullable<FuncKeywordDefinition['compile']>>;

interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

const validations: FuncKeywordDefinition = {
  keyword: 'x-kubernetes-validations',
  schemaType: 'array',
  errors: true,
  compile(rules: readonly Rule[]) {
    const checks = rules.map((rule) => {
      const twin = ruleTwins.get(rule.rule);
      if (twin === undefined) {
        throw new ModelError('ERR_CRD_RULE_UNKNOWN', `crd-rules.ts has no twin of the CEL rule ${rule.rule}`);
      }
      return { ...rule, twin };
    });
    const validate: DataValidateFunction = (data: unknown) => {
      validate.errors = checks
        .filter((check) => !check.twin(data))
        .map(({ message, fieldPath }) => ({
          keyword: 'x-kubernetes-validations',
          message,
          params: { fieldPath },
        }));
      return validate.errors.length === 0;
    };
    return validate;
  },
};

/** `x-kubernetes-list-type: map`: no two items have the same keys. */
const listMapKeys: FuncKeywordDefinition = {
  keyword: 'x-kubernetes-list-map-keys',
  type: 'array',
  schemaType: 'array',
  errors: true,
  compile(keys: readonly string[]) {
    const validate: DataValidateFunction = (data: readonly unknown[]) => {
      const seen = new Map<string, number>();
      validate.errors = [];
      for (const [index, item] of data.entries()) {
        const identity = JSON.stringify(keys.map((key) => ownField(item, key)));
        const first = seen.get(identity);
        if (first === undefined) seen.set(identity, index);
        else validate.errors.push({ keyword: 'x-kubernetes-list-map-keys', params: { keys, first, index } });
      }
      return validate.errors.length === 0;
    };
    return validate;
  },
};
