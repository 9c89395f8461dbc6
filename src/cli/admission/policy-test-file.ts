// `*.test.yaml`, or `*.test.yml`: policies, cases, and what a registry would say of the images in them. examples/policy-tests shows one.

import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { findingCodes } from '../../admission/decision.ts';
import type { StatedImage } from '../../admission/images/stated-images.ts';
import type { Issue, Manifest } from '../../model/manifest.ts';
import { isDnsLabel } from '../../model/names.ts';
import { nearestName } from '../../model/nearest.ts';
import { quote } from '../../model/problem.ts';
import { readWith } from '../../model/read-with.ts';
import { type Digest, parseDigest } from '../../registry/digest.ts';
import { CliError } from '../errors.ts';
import { isPolicyTest, readManifestFile, refusedFile } from '../manifest-files.ts';
import { namingFile } from '../named-file.ts';
import { problemOf } from '../policy-files.ts';

/** What a case may come to. */
const expectations = ['allowed', 'warned', 'denied'] as const;
export type Expectation = (typeof expectations)[number];

export interface PolicyTestCase {
  readonly name: string;
  /** Files, each with one object. */
  readonly object: string;
  /** Of an update. */
  readonly oldObject: string | undefined;
  readonly expect: Expectation;
  /** Codes of findings that must be among those there are. */
  readonly because: readonly string[];
  /** That no policy of the test holds for the namespace of the object. */
  readonly withoutPolicies: boolean;
}

export interface PolicyTestFile {
  readonly path: string;
  readonly policies: readonly string[];
  /** Of objects that name none. */
  readonly namespace: string;
  readonly now: Date | undefined;
  /** Whether the cluster injects one. */
  readonly sidecar: boolean;
  readonly cases: readonly PolicyTestCase[];
  /** By what they are called; undefined: registries are asked. */
  readonly images: Readonly<Record<string, StatedImage>> | undefined;
  /** What to throw when something in it is wrong, with the places. */
  refuse(issues: readonly Issue[]): CliError;
}

const maxTestFiles = 1_000;

/** `objekt: unknown field; …` */
function closed<Shape extends z.core.$ZodShape>(shape: Shape) {
  const fields = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `unknown field; the fields here are ${fields}` : undefined,
  });
}

const text = z.string().min(1);
const texts = z.array(text).max(1_000);
const digest = z.string().transform((value, context): Digest => {
  try {
    return parseDigest(value);
  } catch {
    context.addIssue({ code: 'custom', message: 'a digest is sha256: and 64 lower-case hex digits' });
    return z.NEVER;
  }
});
const findingCode = z.string().superRefine((code, context) => {
  if (findingCodes.some((each) => each === code)) return;
  const near = nearestName(code, findingCodes);
  const hint = near === undefined ? `there are ${findingCodes.join(', ')}` : `did you mean ${near}?`;
  context.addIssue({ code: 'custom', message: `no finding has this code; ${hint}` });
});
const attestation = closed({
  predicateType: text,
  predicate: z.record(z.string(), z.unknown()).default({}),
  signedBy: texts.default([]),
});
const image = closed({ digest, signedBy: texts.default([]), attestations: z.array(attestation).default([]) });
const testCase = closed({
  name: text,
  object: text,
  oldObject: text.optional(),
  expect: z.enum(expectations, { error: `it is one of ${expectations.join(', ')}` }),
  because: z.array(findingCode).max(findingCodes.length).default([]),
  withoutPolicies: z.boolean().default(false),
});
/** Of two cases of one name nobody knows which one has failed, and one may be the other's stale copy. */
function refuseTwins(cases: readonly { readonly name: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { name }] of cases.entries()) {
    if (seen.has(name)) {
      const message = `there is another case ${quote(name)}; give each a name of its own`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    }
    seen.add(name);
  }
}

const testFile = closed({
  policies: texts.min(1, 'name the files with the policies'),
  namespace: z.string().refine(isDnsLabel, 'not a namespace').default('default'),
  now: z.iso.datetime('a time is written "2027-01-31T00:00:00Z"').optional(),
  sidecar: z.boolean().default(false),
  images: z.record(z.string(), image).optional(),
  cases: z.array(testCase).min(1, 'a test without cases proves nothing').superRefine(refuseTwins),
});

/** The file itself, or those in the directory and in its directories, sorted. @throws CliError ERR_USAGE when there is none */
export async function findPolicyTests(path: string): Promise<readonly string[]> {
  const what = 'the policy test';
  const isDirectory = await namingFile(what, path, async () => (await stat(path)).isDirectory());
  if (!isDirectory) return [path];
  const names = await namingFile(what, path, () => readdir(path, { recursive: true }));
  const found = names.filter(isPolicyTest).sort();
  if (found.length === 0 || found.length > maxTestFiles) {
    const problem =
      found.length === 0 ? 'holds no *.test.yaml and no *.test.yml' : `holds more than ${maxTestFiles} tests`;
    throw new CliError('ERR_USAGE', `the directory ${path} ${problem}`, {
      hint: 'examples/policy-tests has an example of a test file',
    });
  }
  return found.map((name) => join(path, name));
}

/** @throws CliError ERR_USAGE that says everything that is wrong with the file, and where */
export async function readPolicyTest(path: string): Promise<PolicyTestFile> {
  const { path: name, manifests } = await readManifestFile('the policy test', path);
  const [manifest, ...others] = manifests;
  if (manifest === undefined || others.length > 0) {
    throw new CliError('ERR_USAGE', `${name} holds ${manifests.length} documents; a policy test is one`);
  }
  const refuse = refusalOf(name, manifest);
  const { value, issues } = readWith(testFile, manifest.content);
  if (value === undefined) throw refuse(issues);
  const beside = (file: string): string => resolve(dirname(path), file);
  return {
    path: name,
    namespace: value.namespace,
    policies: value.policies.map(beside),
    now: value.now === undefined ? undefined : new Date(value.now),
    cases: value.cases.map((each) => ({
      ...each,
      object: beside(each.object),
      oldObject: each.oldObject === undefined ? undefined : beside(each.oldObject),
    })),
    sidecar: value.sidecar,
    images: value.images,
    refuse,
  };
}

function refusalOf(file: string, manifest: Manifest): PolicyTestFile['refuse'] {
  return (issues) =>
    refusedFile(
      file,
      issues.map((issue) => problemOf(manifest, issue)),
    );
}
