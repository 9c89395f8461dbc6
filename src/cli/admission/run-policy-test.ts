// `trellis policy test`: cases against policies, each with its outcome.

import type { Command } from 'commander';
import pc from 'picocolors';
import { type AdmissionContext, holdingPolicies } from '../../admission/context.ts';
import type { AdmissionDecision, FindingCode } from '../../admission/decision.ts';
import { namespacedName, type Policy } from '../../model/mesh.ts';
import { escapeInvisible } from '../../model/problem.ts';
import type { RegistryClient } from '../../registry/client.ts';
import { CliError } from '../errors.ts';
import { print, printJson } from '../output.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { type RegistryClientOptions, registryClientOf } from '../registry-options.ts';
import { testAdvice } from './offline-advice.ts';
import { decisionOn, offlineContext } from './offline-context.ts';
import { type PodManifest, readOnePodManifest } from './pod-manifests.ts';
import {
  type Expectation,
  findPolicyTests,
  type PolicyTestCase,
  type PolicyTestFile,
  readPolicyTest,
} from './policy-test-file.ts';
import { findingsJson, renderDecision, verdictOf } from './render-decision.ts';
import { sidecarText, someSidecar } from './sidecar-image.ts';
import { statedImages } from './stated-by-test.ts';

export interface PolicyTestOptions extends RegistryClientOptions {
  readonly rootNamespace: string;
  readonly json?: true;
}

/** For one case: a look at a registry or two. */
const caseMs = 60_000;

interface CaseOutcome {
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
  readonly expected: Expectation;
  readonly came: Expectation;
  /** Codes that were expected among the findings, and are not. */
  readonly missing: readonly string[];
  /** What it came to is owed to an image that nobody could be asked about, and the case does not say so. */
  readonly unanswered: boolean;
  /** The same, owed to a policy that cannot be used. */
  readonly unusable: boolean;
  /** What the case says of policies is not so: there are none for the namespace of the object, or there are some. */
  readonly surprise: string | undefined;
  readonly object: string;
  readonly decision: AdmissionDecision;
  /** Registries were asked, which may answer another time. */
  readonly asksRegistries: boolean;
  /** Whether it was judged as where one is injected. */
  readonly sidecar: boolean;
}

/** @throws CliError when a case did not come out as expected; what is wrong with a file */
export async function runPolicyTest(
  path: string,
  options: PolicyTestOptions,
  command: Command,
): Promise<void> {
  const tests = await Promise.all((await findPolicyTests(path)).map(readPolicyTest));
  const client = await registryClientOf(options);
  try {
    const outcomes: CaseOutcome[] = [];
    for (const test of tests) outcomes.push(...(await runFile(test, options.rootNamespace, client)));
    if (options.json) printJson(command, documentOf(outcomes));
    else for (const line of [...outcomes.map(render), ...assumptions(outcomes)]) print(command, line);
    conclude(outcomes);
    if (!options.json) print(command, `${countOf(outcomes.length)} as expected`);
  } finally {
    await client.close();
  }
}

function conclude(outcomes: readonly CaseOutcome[]): void {
  const failed = outcomes.filter(({ passed }) => !passed);
  if (failed.length === 0) return;
  const message = `${failed.length} of ${countOf(outcomes.length)} did not come out as expected`;
  if (failed.every(({ unanswered, asksRegistries }) => unanswered && asksRegistries)) {
    throw new CliError('ERR_NOT_ASKED', message, {
      hint: 'a registry could not be asked: try again, or state the images in the test',
    });
  }
  if (failed.every(({ unusable }) => unusable)) {
    throw new CliError('ERR_USAGE', message, {
      hint: 'a policy cannot be used: correct it, as it is said above',
    });
  }
  throw new CliError('ERR_CHECK_FAILED', message);
}

async function runFile(
  test: PolicyTestFile,
  rootNamespace: string,
  client: RegistryClient,
): Promise<readonly CaseOutcome[]> {
  const policies = await readPolicyFiles(test.policies);
  const stated = statedImages(test, policies.policies);
  const { now } = test;
  const context = offlineContext({
    ...{ policies, rootNamespace, now: () => now ?? new Date() },
    sidecar: test.sidecar ? someSidecar : undefined,
    advice: testAdvice(stated !== undefined),
    images: stated === undefined ? { kind: 'registries', client } : { kind: 'stated', images: stated },
  });
  const outcomes: CaseOutcome[] = [];
  for (const each of test.cases) outcomes.push(await runCase(test, each, context));
  return outcomes;
}

async function runCase(
  { path, namespace, images, sidecar }: PolicyTestFile,
  { name, object, oldObject, expect, because, withoutPolicies }: PolicyTestCase,
  context: AdmissionContext,
): Promise<CaseOutcome> {
  const made = await readOnePodManifest(object, namespace);
  const before = oldObject === undefined ? undefined : await readOnePodManifest(oldObject, namespace);
  const asked = before === undefined ? made : updateOf(before, made);
  const decision = await decisionOn(asked, context, caseMs);
  const verdict = verdictOf(decision);
  const came = verdict === 'unknown' || verdict === 'unusable' ? 'denied' : verdict;
  const codes = new Set<string>(decision.findings.map(({ code }) => code));
  const missing = because.filter((code) => !codes.has(code));
  // What is denied for certain stays so, whatever the answer would have been.
  const isOpen = (code: FindingCode) => verdict !== 'denied' && codes.has(code) && !because.includes(code);
  const [unanswered, unusable] = [isOpen('image-unknown'), isOpen('policy-unusable')];
  const surprise = surpriseOf(holdingPolicies(context, asked.request.namespace), withoutPolicies, asked);
  return {
    ...{ file: path, name, expected: expect, came, missing, unanswered, unusable, surprise, decision },
    object: made.name,
    passed: came === expect && missing.length === 0 && !unanswered && !unusable && surprise === undefined,
    asksRegistries: images === undefined,
    sidecar,
  };
}

/** Where no policy holds everything is allowed, and a case that expects it would be green about nothing. */
function surpriseOf(
  holding: readonly Policy[],
  expectsNone: boolean,
  { request: { namespace } }: PodManifest,
): string | undefined {
  if (expectsNone === (holding.length === 0)) return undefined;
  return expectsNone
    ? `withoutPolicies: true, and ${holding.map(namespacedName).join(', ')} holds for the namespace ${namespace}`
    : `no policy of the test holds for the namespace ${namespace} (if that is meant: withoutPolicies: true)`;
}

/** @throws CliError ERR_USAGE when they are two objects */
function updateOf(before: PodManifest, now: PodManifest): PodManifest {
  const nameOf = ({ request: { kind, namespace, name } }: PodManifest) =>
    [kind.group, kind.version, kind.kind, namespace, name].join('/');
  if (nameOf(before) !== nameOf(now)) {
    throw new CliError('ERR_USAGE', `${before.name} does not become ${now.name} by an update`, {
      hint: 'object and oldObject have one kind, one namespace and one name',
    });
  }
  return { ...now, request: { ...now.request, operation: 'UPDATE', oldObject: before.request.object } };
}

function documentOf(outcomes: readonly CaseOutcome[]) {
  return {
    ok: outcomes.every(({ passed }) => passed),
    cases: outcomes.map(({ missing, decision, ...outcome }) => {
      const { file, name, passed, expected, came, unanswered, unusable, surprise, sidecar } = outcome;
      return {
        ...{ file, name, sidecar, passed, expected, came, missing, unanswered, unusable, surprise },
        findings: findingsJson(decision),
      };
    }),
  };
}

function render(outcome: CaseOutcome): string {
  const { file, name, passed, expected, came, missing, unanswered, unusable, object, decision } = outcome;
  const title = escapeInvisible(`${file}: ${name}`);
  if (passed) return `${pc.green('ok')}      ${title}`;
  const reasons = [
    ...(came === expected ? [] : [`expected ${expected}, came ${came}`]),
    ...(missing.length === 0
      ? []
      : [`expected because of ${missing.join(' and ')}, which is not among the findings`]),
    ...(unanswered
      ? ['an image could not be judged, and because: [image-unknown] does not expect that']
      : []),
    ...(unusable ? ['a policy cannot be used, and because: [policy-unusable] does not expect that'] : []),
    ...(outcome.surprise === undefined ? [] : [outcome.surprise]),
  ];
  const head = `${pc.red('FAILED')}  ${title}: ${escapeInvisible(reasons.join('; '))}`;
  const detail = renderDecision(object, decision).split('\n');
  return [head, ...detail.map((line) => `  ${line}`)].join('\n');
}

/** What the outcomes depend on, and is easily overlooked. */
function assumptions(outcomes: readonly CaseOutcome[]): readonly string[] {
  return [true, false].flatMap((sidecar) => {
    const count = outcomes.filter((outcome) => outcome.sidecar === sidecar).length;
    const said = `judged as where ${sidecarText(sidecar ? someSidecar : undefined)} (sidecar: ${sidecar})`;
    return count === 0 ? [] : [`${countOf(count)} ${said}`];
  });
}

function countOf(cases: number): string {
  return cases === 1 ? '1 case' : `${cases} cases`;
}
