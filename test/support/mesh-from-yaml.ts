// A mesh from manifests written in a test.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { buildMeshState } from '../../src/model/build.ts';
import type { MeshState } from '../../src/model/mesh.ts';
import { formatProblem } from '../../src/model/problem.ts';
import { createMeshManifestParser } from '../../src/policy/manifest-parser.ts';

const crds = join(import.meta.dirname, '../../charts/trellis/crds');
const definitions = readdirSync(crds).map((file): unknown => parse(readFileSync(join(crds, file), 'utf8')));
const parseManifest = createMeshManifestParser(definitions);

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Later texts replace objects of earlier ones by kind and name. Throws with every problem that is an error. */
export function meshFromYaml(...texts: readonly string[]): MeshState {
  const objects = new Map<string, Named>();
  for (const document of texts.flatMap((text) => parseAllDocuments(text))) {
    const content = document.toJS() as Named;
    objects.set(`${content.kind} ${content.metadata.namespace}/${content.metadata.name}`, content);
  }
  const { state, problems } = buildMeshState(
    [...objects.values()].map((content) => ({ content })),
    { trustDomain: 'cluster.local', rootNamespace: 'trellis-system', parse: parseManifest },
  );
  if (state === undefined) throw new Error(problems.map(formatProblem).join('\n'));
  return state;
}
