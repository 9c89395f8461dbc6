// The parser of manifests that also reads the conditions in policies: whoever takes a policy that cannot be decided by
// would find out at the first request.

import { createCustomResourceValidator } from '../model/crd-validator.ts';
import type { Issue } from '../model/manifest.ts';
import type { Policy } from '../model/mesh.ts';
import { createManifestParser, type ManifestParser } from '../model/parse.ts';
import { checkCondition } from './authorize/compile.ts';

/**
 * @param definitions the parsed custom resource definitions; see sources/crds.ts
 * @throws ModelError when they are not those of this version
 */
export function createMeshManifestParser(definitions: readonly unknown[]): ManifestParser {
  return createManifestParser(createCustomResourceValidator(definitions), policyIssues);
}

function policyIssues({ authorization = [] }: Policy['spec']): readonly Issue[] {
  return authorization.flatMap(({ condition, token }, index) => {
    const problem = condition === undefined ? undefined : checkCondition(condition, token !== undefined);
    if (problem === undefined) return [];
    const path = ['spec', 'authorization', index, 'condition'];
    const message = `spec.authorization[${index}].condition: ${problem}`;
    return [{ severity: 'error', code: 'InvalidField', path, message } satisfies Issue];
  });
}
