// The images that a policy test states: found by what objects call them, signed by those whom its policies know.

import { isDeepStrictEqual } from 'node:util';
import type { StatedImage } from '../../admission/images/stated-images.ts';
import type { Issue } from '../../model/manifest.ts';
import type { Policy } from '../../model/mesh.ts';
import { nearestName } from '../../model/nearest.ts';
import { type FieldPath, formatPath, quote } from '../../model/problem.ts';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.ts';
import type { PolicyTestFile } from './policy-test-file.ts';

/** Undefined: nothing is stated of the image. */
export type StatedImages = (reference: ImageReference) => StatedImage | undefined;

/**
 * @param policies of the test: whoever signs is known to one of them, as `authority/keyset`, or `authority` where it has no keysets
 * @returns undefined where the test states none, and registries are asked
 * @throws CliError ERR_USAGE
 */
export function statedImages(test: PolicyTestFile, policies: readonly Policy[]): StatedImages | undefined {
  if (test.images === undefined) return undefined;
  const byName = new Map<string, StatedImage>();
  const issues: Issue[] = [];
  const signers = signersOf(policies);
  for (const [name, image] of Object.entries(test.images)) {
    const path = ['images', name];
    try {
      state(byName, parseReference(name), image);
    } catch (error) {
      issues.push(issueAt(path, error instanceof Error ? error.message : String(error)));
    }
    issues.push(...unknownSigners(path, image, signers));
  }
  if (issues.length > 0) throw test.refuse(issues);
  return (reference) => byName.get(keyOf(reference));
}

/** By tag, and by digest: a Pod names the one or the other. */
function state(byName: Map<string, StatedImage>, reference: ImageReference, image: StatedImage): void {
  if (reference.digest !== undefined && reference.digest !== image.digest) {
    throw new Error(`the name has another digest than what is stated of it`);
  }
  const keys = new Set([keyOf(reference), keyOf({ ...reference, digest: image.digest })]);
  for (const key of keys) {
    const before = byName.get(key);
    if (before !== undefined && !isDeepStrictEqual(before, image)) {
      throw new Error(`something else is stated of ${key} as well`);
    }
    byName.set(key, image);
  }
}

/** Where there is a digest, it alone says what is meant. */
function keyOf(reference: ImageReference): string {
  return formatReference(reference.digest === undefined ? reference : { ...reference, tag: undefined });
}

function signersOf(policies: readonly Policy[]): readonly string[] {
  const authorities = policies
    .flatMap(({ spec }) => spec.images ?? [])
    .flatMap(({ authorities: each = [] }) => each);
  const names = authorities.flatMap(({ name, keysets = [] }) =>
    keysets.length === 0 ? [name] : keysets.map((keyset) => `${name}/${keyset.name}`),
  );
  return [...new Set(names)].sort();
}

/** Whoever is misspelt would sign nothing, and a test that expects a denial would pass for it. */
function unknownSigners(at: FieldPath, image: StatedImage, known: readonly string[]): readonly Issue[] {
  const lists = [
    { path: [...at, 'signedBy'], signedBy: image.signedBy },
    ...image.attestations.map(({ signedBy }, index) => ({
      ...{ path: [...at, 'attestations', index, 'signedBy'], signedBy },
    })),
  ];
  return lists.flatMap(({ path, signedBy }) =>
    signedBy.flatMap((name, index) =>
      known.includes(name) ? [] : [issueAt([...path, index], unknownSigner(name, known))],
    ),
  );
}

function unknownSigner(name: string, known: readonly string[]): string {
  const near = nearestName(name, known) ?? known.find((each) => each.startsWith(`${name}/`));
  const all = known.length === 0 ? 'they know nobody' : `they know ${known.join(', ')}`;
  return `no policy of the test knows ${quote(name)} (authority/keyset); ${near === undefined ? all : `did you mean ${near}?`}`;
}

function issueAt(path: FieldPath, message: string): Issue {
  return { severity: 'error', code: 'InvalidField', path, message: `${formatPath(path)}: ${message}` };
}
