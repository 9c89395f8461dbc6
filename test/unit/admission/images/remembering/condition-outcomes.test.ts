import { beforeEach, describe, expect, test, vi } from 'vitest';
import { imageJudgeOver } from '../../../../../src/admission/images/create-image-judge.ts';
import type { ImageQuestion } from '../../../../../src/admission/images/image-judge.ts';
import { compileAttestationCondition } from '../../../../../src/policy/images/attestation-condition.ts';
import { anonymous } from '../../../../../src/registry/auth/credentials.ts';
import { RegistryError } from '../../../../../src/registry/errors.ts';
import { parseReference } from '../../../../../src/registry/reference.ts';
import type { FakeRegistry } from '../../../signing/verify/fake-registry.ts';
import { digest, now, repository, slsa } from '../../../signing/verify/support.ts';
import { attach, hybrid, policyOf, rule, signedRegistry } from '../support.ts';

const { evaluated } = vi.hoisted(() => ({ evaluated: [] as string[] }));

vi.mock('../../../../../src/policy/images/attestation-condition.ts', async (importOriginal) => {
  const original =
    await importOriginal<typeof import('../../../../../src/policy/images/attestation-condition.ts')>();
  return {
    ...original,
    compileAttestationCondition: (text: string) => {
      const { holds } = original.compileAttestationCondition(text);
      const counted: typeof holds = (statement) => {
        evaluated.push(text);
        return holds(statement);
      };
      return { text, holds: counted };
    },
  };
});

const packages = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `package-${index}`, licence: 'MIT' }));
/** More than an entry of the cache holds. */
const large = { packages: packages(2_000), builder: 'ci' };
const small = { packages: packages(10), builder: 'ci' };

const byBuilder = 'predicate.builder == "ci"';
const withPackages = 'predicate.packages.all(p, p.licence == "MIT")';

let registry: FakeRegistry;
let judge: ReturnType<typeof imageJudgeOver>;
beforeEach(() => {
  registry = signedRegistry();
  judge = imageJudgeOver(() => registry.client, {
    keySources: { kms: () => Promise.reject(new Error('none')), configMap: async () => undefined },
    now: () => now,
  });
  evaluated.length = 0;
});

const { signal } = new AbortController();

/** Under policies that ask for one attestation each, with such a condition. */
async function ask(...conditions: readonly string[]) {
  evaluated.length = 0;
  registry.asked.length = 0;
  const question: ImageQuestion = {
    reference: parseReference(`${repository}@${digest}`),
    policies: conditions.map((condition, index) =>
      policyOf({ images: [rule({ attestations: [{ predicateType: slsa, condition }] })] }, `p${index}`),
    ),
    ...{ credentials: { scope: 'node', source: anonymous }, signal },
  };
  const { decision, requirements } = await judge.judge(question);
  const reasons = requirements.flatMap((each) => each.reasons).join('\n');
  return { decision, reasons, evaluated: [...evaluated], requests: registry.requests() };
}

describe.each<[string, typeof small]>([
  ['an SBOM of thousands', large],
  ['a small one', small],
])('conditions on %s', (name, predicate) => {
  const isLarge = name !== 'a small one';
  beforeEach(() => attach(registry, hybrid, { predicateType: slsa, predicate }));

  test('are evaluated for the first pod, and for none after it', async () => {
    expect(await ask(byBuilder)).toMatchObject({ decision: 'verified', evaluated: [byBuilder] });
    expect(await ask(byBuilder)).toMatchObject({ decision: 'verified', evaluated: [], requests: 0 });
    expect(judge.stats()).toMatchObject({ hits: 1, entries: 1 });
    expect(judge.stats().bytes).toBeLessThan(32_768);
  });

  test('are evaluated once for all who ask at the same time', async () => {
    const questions = Array.from({ length: 50 }, () => ask(byBuilder));
    expect(new Set((await Promise.all(questions)).map(({ decision }) => decision))).toEqual(
      new Set(['verified']),
    );
    expect(evaluated).toEqual([byBuilder]);
  });

  test('that are new need what they are about; it does not displace what is known of others', async () => {
    await ask(byBuilder);
    const other = await ask(withPackages);
    expect(other).toMatchObject({ decision: 'verified', evaluated: [withPackages] });
    expect(other.requests > 0).toBe(isLarge);
    for (const condition of [byBuilder, withPackages, byBuilder]) {
      expect(await ask(condition)).toMatchObject({ decision: 'verified', evaluated: [], requests: 0 });
    }
  });

  test('that do not hold deny, and are not evaluated again while the image is known', async () => {
    await ask(byBuilder);
    // True of nothing.
    const denying = '!has(predicate.builder)';
    expect(await ask(denying)).toMatchObject({ decision: 'denied', evaluated: [denying] });
    const again = await ask(denying);
    expect(again).toMatchObject({ decision: 'denied', evaluated: [] });
    expect(again.reasons).toMatch(/the condition is false/);
    // A no is no older than the question.
    expect(again.requests).toBeGreaterThan(0);
    expect(await ask(byBuilder, denying)).toMatchObject({ decision: 'denied', evaluated: [] });
  });
});

test('what conditions came to is part of what the cache weighs', async () => {
  attach(registry, hybrid, { predicateType: slsa, predicate: small });
  await ask(byBuilder);
  const { bytes } = judge.stats();
  await ask(withPackages);
  expect(judge.stats().bytes).toBeGreaterThan(bytes + withPackages.length);
});

test('while the registry is away, a condition that is new is unknown where the predicate was too large to keep', async () => {
  attach(registry, hybrid, { predicateType: slsa, predicate: large });
  await ask(byBuilder);
  registry.listError = new RegistryError('ERR_REGISTRY_UNREACHABLE', 'the registry is away');
  expect((await ask(byBuilder)).decision).toBe('verified');
  expect((await ask(withPackages)).decision).toBe('unknown');
});

test.each([
  'timestamp(predicate.until) > now()',
  'timestamp(predicate.until) > now',
  'timestamp(predicate.until) > time.now()',
  'timestamp(predicate.until) > duration("1h").now()',
])('no condition can ask what time it is, or its outcome would not last: %s', (text) => {
  expect(() => compileAttestationCondition(text)).toThrow();
});
