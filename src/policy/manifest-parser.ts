// The parser of manifests that also reads what the schema cannot: conditions, patterns and globs in policies. Whoever takes a
// policy that cannot be decided by would find out at the first request, or the first image.

import { createCustomResourceValidator } from '../model/crd-validator.ts';
import type { Issue } from '../model/manifest.ts';
import type { Policy } from '../model/mesh.ts';
import { createManifestParser, type ManifestParser } from '../model/parse.ts';
import { type FieldPath, formatPath } from '../model/problem.ts';
import { checkCondition } from './authorize/compile.ts';
import { imageRuleProblems } from './images/image-rule-problems.ts';

/**
 * @param definitions the parsed custom resource definitions; see sources/crds.ts
 * @throws ModelError when they are not those of this version
 */
export function createMeshManifestParser(definitions: readonly unknown[]): ManifestParser {
  return createManifestParser(createCustomResourceValidator(definitions), policyIssues);
}

function policyIssues({ authorization = [], images = [] }: Policy['spec']): readonly Issue[] {
  const ofAuthorization = authorization.flatMap(({ condition, token }, index) => {
    const problem = condition === undefined ? undefined : checkCondition(condition, token !== undefined);
    return problem === undefined ? [] : [issue(['spec', 'authorization', index, 'condition'], problem)];
  });
  const ofImages = images.flatMap((rule, index) =>
    imageRuleProblems(rule).map(({ path, problem }) => issue(['spec', 'images', index, ...path], problem)),
  );
  return [...ofAuthorization, ...ofImages];
}

function issue(path: FieldPath, problem: string): Issue {
  return { severity: 'error', code: 'InvalidField', path, message: `${formatPath(path)}: ${problem}` };
}
