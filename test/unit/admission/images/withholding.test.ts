import { expect, test } from 'vitest';
import type { JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import { withholding } from '../../../../src/admission/images/withholding.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { SigningError, type SigningErrorCode } from '../../../../src/signing/errors.ts';

const arn = 'arn:aws:sts::123456789012:assumed-role/trellis-webhook';

function judgedWith(error: unknown): JudgedImage {
  const reasons = [`it could not be judged: ${String(error)}`];
  return {
    ...{ image: 'registry.example/a:1', decision: 'unknown', ok: false, digest: undefined },
    requirements: [
      {
        requirement: { name: 'p', policy: undefined, enforcement: 'enforce', kind: 'allow' },
        ...{ outcome: 'unknown', reasons, verdict: undefined, error },
      },
    ],
    ...{ signatures: [], counted: new Set() },
  };
}

function withheldFrom(error: unknown) {
  const logged: unknown[] = [];
  const { requirements } = withholding(judgedWith(error), (image, what) => logged.push([image, what]));
  return { logged, reasons: requirements.flatMap(({ reasons }) => reasons).join(), requirements };
}

test.each<SigningErrorCode>([
  'ERR_KMS_KEY',
  'ERR_KMS_UNAVAILABLE',
  'ERR_KMS_CREDENTIALS',
  'ERR_KMS_URI_INVALID',
])('what a key management service says is for the log: %s', (code) => {
  const error = new SigningError(code, `authority ci: User: ${arn} is not authorized`);
  const { logged, reasons, requirements } = withheldFrom(error);
  expect(reasons).not.toContain('arn:');
  expect(reasons).toContain(code);
  expect(reasons).toMatch(/^it could not be judged: .*in its log$/);
  expect(logged).toEqual([['registry.example/a:1', error]]);
  expect(requirements).toMatchObject([{ outcome: 'unknown', error }]);
});

test.each([
  new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away'),
  new SigningError('ERR_VERIFICATION_DEADLINE', 'too late'),
])('other reasons stay: %s', (error) => {
  const { logged, reasons } = withheldFrom(error);
  expect([logged, reasons]).toEqual([[], `it could not be judged: ${String(error)}`]);
});
