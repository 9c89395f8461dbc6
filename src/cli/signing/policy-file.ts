// `--policy FILE`: QuantumSecurityPolicies as one would apply them, with the ConfigMaps they refer to.

import { isRecord, type Manifest, ownField } from '../../model/manifest.ts';
import { namespacedName, type Policy } from '../../model/mesh.ts';
import { formatProblem, type Problem } from '../../model/problem.ts';
import { createMeshManifestParser } from '../../policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../../sources/crds.ts';
import { parseManifestFile } from '../../sources/files/document.ts';
import { maxFileBytes } from '../../sources/files/limits.ts';
import { CliError } from '../errors.ts';
import { readNamedFile } from '../named-file.ts';

export interface PolicyFile {
  readonly policies: readonly Policy[];
  /** The bytes of an entry of a ConfigMap in the file. */
  configMap(namespace: string, name: string, key: string): Uint8Array | undefined;
}

const maxShownProblems = 10;

/** @throws CliError ERR_USAGE that names every error in the file */
export async function readPolicyFile(path: string): Promise<PolicyFile> {
  const { manifests, problems } = parseManifestFile(path, await readText(path));
  const parse = createMeshManifestParser(await readCustomResourceDefinitions());
  const errors: Problem[] = [...problems];
  const policies = new Map<string, Policy>();
  const configMaps = new Map<string, ReadonlyMap<string, Uint8Array>>();
  for (const manifest of manifests) {
    const { resource, object, issues, foreign } = parse(manifest.content);
    for (const issue of issues) errors.push(problemOf(manifest, issue, object));
    if (foreign?.kind === 'ConfigMap') addConfigMap(configMaps, manifest.content);
    if (resource?.kind === 'QuantumSecurityPolicy') policies.set(namespacedName(resource), resource);
  }
  const fatal = errors.filter(({ severity }) => severity === 'error');
  if (fatal.length > 0) throw refused(path, fatal);
  if (![...policies.values()].some(({ spec }) => spec.images !== undefined)) {
    throw new CliError('ERR_USAGE', `${path} holds no QuantumSecurityPolicy with images`, {
      hint: 'docs/signing.md has an example',
    });
  }
  return {
    policies: [...policies.values()],
    configMap: (namespace, name, key) => configMaps.get(`${namespace}/${name}`)?.get(key),
  };
}

async function readText(path: string): Promise<string> {
  const bytes = await readNamedFile('the policy file', path, maxFileBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CliError('ERR_USAGE', `the policy file ${path} is not UTF-8 text`, { cause: error });
  }
}

function problemOf(
  { locate }: Manifest,
  {
    severity,
    code,
    path,
    message,
  }: ReturnType<ReturnType<typeof createMeshManifestParser>>['issues'][number],
  object: Problem['object'],
): Problem {
  return { severity, code, message, object, origin: locate?.(path) };
}

function refused(path: string, errors: readonly Problem[]): CliError {
  const shown = errors.slice(0, maxShownProblems).map(formatProblem);
  const more = errors.length > shown.length ? [`and ${errors.length - shown.length} more`] : [];
  return new CliError('ERR_USAGE', `${path} cannot be used:\n  ${[...shown, ...more].join('\n  ')}`);
}

function addConfigMap(into: Map<string, ReadonlyMap<string, Uint8Array>>, content: unknown): void {
  const metadata = ownField(content, 'metadata');
  const name = ownField(metadata, 'name');
  const namespace = ownField(metadata, 'namespace') ?? 'default';
  if (typeof name !== 'string' || typeof namespace !== 'string') return;
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
  into.set(`${namespace}/${name}`, entries);
}
