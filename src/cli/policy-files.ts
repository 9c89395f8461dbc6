// `--policy FILE`: QuantumSecurityPolicies as one would apply them, with the ConfigMaps they refer to.

import { type Issue, isRecord, type Manifest, ownField } from '../model/manifest.ts';
import { namespacedName, type Policy } from '../model/mesh.ts';
import { isDnsLabel } from '../model/names.ts';
import type { ManifestParser } from '../model/parse.ts';
import { formatProblem, hasErrors, type Problem, quote } from '../model/problem.ts';
import { createMeshManifestParser } from '../policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../sources/crds.ts';
import { readManifestFiles, refusedFile } from './manifest-files.ts';

export interface PolicyFiles {
  readonly policies: readonly Policy[];
  /** The bytes of an entry of a ConfigMap in one of the files. */
  configMap(namespace: string, name: string, key: string): Uint8Array | undefined;
  /** Policies that cannot be used and were spared, as sentences. */
  readonly spared: readonly string[];
}

type Entries = ReadonlyMap<string, Uint8Array>;

/**
 * @param paths files, directories, `-` for standard input
 * @param isSpared of the namespace of a policy: where it cannot be used, nothing else has to suffer for it
 * @throws CliError ERR_USAGE that names every error in the first file that has one
 */
export async function readPolicyFiles(
  paths: readonly string[],
  isSpared: (namespace: string) => boolean = () => false,
): Promise<PolicyFiles> {
  const spared: string[] = [];
  const parse = createMeshManifestParser(await readCustomResourceDefinitions());
  const policies = new Map<string, Policy>();
  const configMaps = new Map<string, Entries>();
  for (const { path, manifests } of await readManifestFiles('the policy file', paths)) {
    const problems = manifests.flatMap((manifest) => {
      const found = addManifest({ policies, configMaps }, manifest, parse);
      const namespace = namespaceOfPolicy(manifest);
      if (!hasErrors(found) || namespace === undefined || !isSpared(namespace)) return found;
      spared.push(found.map(formatProblem).join('; '));
      return [];
    });
    if (hasErrors(problems)) throw refusedFile(path, problems);
  }
  return {
    spared,
    policies: [...policies.values()],
    configMap: (namespace, name, key) => configMaps.get(`${namespace}/${name}`)?.get(key),
  };
}

interface Collected {
  readonly policies: Map<string, Policy>;
  readonly configMaps: Map<string, Entries>;
}

/** @returns what is wrong with it */
function addManifest(
  { policies, configMaps }: Collected,
  manifest: Manifest,
  parse: ManifestParser,
): readonly Problem[] {
  const { resource, object, issues, foreign } = parse(manifest.content);
  const problems = issues.map((issue) => problemOf(manifest, issue, object));
  if (foreign?.kind === 'ConfigMap') {
    const name = addConfigMap(configMaps, manifest.content);
    if (name !== undefined) problems.push(twice(manifest, 'ConfigMap', name));
  } else if (foreign !== undefined) {
    problems.push(notRead(manifest, foreign.kind));
  }
  if (resource?.kind !== 'QuantumSecurityPolicy') return problems;
  const name = namespacedName(resource);
  if (policies.has(name)) problems.push(twice(manifest, resource.kind, name));
  policies.set(name, resource);
  return problems;
}

/** Undefined where it is no policy, or its namespace is none: then nobody knows where it should hold. */
function namespaceOfPolicy({ content }: Manifest): string | undefined {
  if (ownField(content, 'kind') !== 'QuantumSecurityPolicy') return undefined;
  const namespace = ownField(ownField(content, 'metadata'), 'namespace') ?? 'default';
  return typeof namespace === 'string' && isDnsLabel(namespace) ? namespace : undefined;
}

/** With the place in the file. */
export function problemOf(
  { locate }: Manifest,
  { severity, code, path, message }: Issue,
  object?: Problem['object'],
): Problem {
  return { severity, code, message, object, origin: locate?.(path) };
}

/** Which of the two is meant is not for us to say. */
function twice({ locate }: Manifest, kind: string, name: string): Problem {
  const message = `there is another ${kind} ${name} in what is given; give each a name of its own`;
  return { severity: 'error', code: 'DuplicateName', message, object: undefined, origin: locate?.([]) };
}

/** A policy of another tool, which its author would think obeyed. */
function notRead({ locate }: Manifest, kind: string): Problem {
  const message = `${quote(kind)} is not read here; give QuantumSecurityPolicies and the ConfigMaps they refer to`;
  return {
    severity: 'error',
    code: 'UnsupportedKind',
    message,
    object: undefined,
    origin: locate?.(['kind']),
  };
}

/** @returns its name when there is one of that name already */
function addConfigMap(into: Map<string, Entries>, content: unknown): string | undefined {
  const metadata = ownField(content, 'metadata');
  const name = ownField(metadata, 'name');
  const namespace = ownField(metadata, 'namespace') ?? 'default';
  if (typeof name !== 'string' || typeof namespace !== 'string') return undefined;
  const entries = new Map<string, Uint8Array>();
  for (const [member, encoding] of [
    ['data', 'utf8'],
    ['binaryData', 'base64'],
  ] as const) {
    const values = ownField(content, member);
    if (!isRecord(values)) continue;
    for (const [key, value] of Object.entries(values)) {
      if (typeof value === 'string') entries.set(key, Buffer.from(value, encoding));
    }
  }
  const key = `${namespace}/${name}`;
  if (into.has(key)) return key;
  into.set(key, entries);
  return undefined;
}
