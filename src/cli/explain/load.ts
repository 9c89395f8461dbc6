// What an explanation is made from, off the disk.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TokenKeys, tokenJwksFiles, tokenKeysFromJwks } from '../../identity/tokens/token-keys.ts';
import type { MeshState } from '../../model/mesh.ts';
import { formatProblem } from '../../model/problem.ts';
import { createMeshManifestParser } from '../../policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../../sources/crds.ts';
import { watchManifests } from '../../sources/files/watch.ts';
import { CliError } from '../errors.ts';

export interface MeshPlace {
  readonly directory: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
}

/**
 * The mesh as the control plane would see it now.
 * @param warn is told what the control plane would log
 * @throws CliError ERR_CONFIGURATION that names every error in the manifests
 */
export async function loadMesh(place: MeshPlace, warn: (line: string) => void): Promise<MeshState> {
  const { directory, trustDomain, rootNamespace } = place;
  const parse = createMeshManifestParser(await readCustomResourceDefinitions());
  const watch = new AbortController();
  try {
    const source = await watchManifests({
      directory,
      mesh: { trustDomain, rootNamespace, parse },
      report: {
        problem: (problem) => {
          if (problem.severity === 'warning') warn(formatProblem(problem));
        },
        ignoredKind: () => {},
        recovered: () => {},
      },
      signal: watch.signal,
    });
    const state = source.current();
    if (state !== undefined) return state;
    const errors = source.problems().filter(({ severity }) => severity === 'error');
    const isDirectory = errors.every(({ origin }) => origin === undefined);
    throw new CliError('ERR_CONFIGURATION', errors.map(formatProblem).join('\n'), {
      hint: isDirectory
        ? 'say where the manifests are with --manifests'
        : 'the control plane would not take these manifests either; mend them first',
    });
  } finally {
    watch.abort();
  }
}

/** The public keys of tokens, which the control plane writes beside its trust anchor. @throws CliError, IdentityError */
export async function loadTokenKeys(state: string): Promise<TokenKeys> {
  const read = (name: string): Promise<string> =>
    readFile(join(state, name), 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause;
      throw new CliError('ERR_CONFIGURATION', `there is no ${join(state, name)}`, {
        hint: 'give the --state directory of a control plane that has been started',
        cause,
      });
    });
  const [workloadTokens, jwtSvids] = await Promise.all([
    read(tokenJwksFiles.workloadTokens),
    read(tokenJwksFiles.jwtSvids),
  ]);
  return tokenKeysFromJwks({ workloadTokens, jwtSvids });
}
