// `--policy FILE`: QuantumSecurityPolicies as one would apply them, with the ConfigMaps they refer to.

import { isRecord, type Manifest, ownField } from '../../model/manifest.ts';
import { namespacedName, type Policy } from '../../model/mesh.ts';
import { formatProblem, type Problem, quote } from '../../model/problem.ts';
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
    if (foreign?.kind === 'ConfigMap') {
      const name = addConfigMap(configMaps, manifest.content);
      if (name !== undefined) errors.push(twice(manifest, 'ConfigMap', name));
    } else if (foreign !== undefined) {
      errors.push(notRead(manifest, foreign.kind));
    }
    if (resource?.kind !== 'QuantumSecurityPolicy') continue;
    const name = namespacedName(resource);
    if (policies.has(name)) errors.push(twice(manifest, resource.kind, name));
    policies.set(name, resource);
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

/** Which of the two is meant is not for us to say. */
function twice({ locate }: Manifest, kind: string, name: string): Problem {
  const message = `there is another ${kind} ${name} in the file; give each a name of its own`;
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

function refused(path: string, errors: readonly Problem[]): CliError {
  const shown = errors.slice(0, maxShownProblems).map(formatProblem);
  const more = errors.length > shown.length ? [`and ${errors.length - shown.length} more`] : [];
  return new CliError('ERR_USAGE', `${path} cannot be used:\n  ${[...shown, ...more].join('\n  ')}`);
}

/** @returns its name when there is one of that name already */
function addConfigMap(
  into: Map<string, ReadonlyMap<string, Uint8Array>>,
  content: unknown,
): string | undefined {
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
