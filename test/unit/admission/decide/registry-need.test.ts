import { expect, test } from 'vitest';
import { needsRegistry } from '../../../../src/admission/decide/registry-need.ts';
import { parseReference } from '../../../../src/registry/reference.ts';
import { digest } from '../../signing/verify/support.ts';
import { policyOf, rule } from '../images/support.ts';
import { signedImage } from './support.ts';

const needs = (image: string, ...policies: Parameters<typeof needsRegistry>[1]) =>
  needsRegistry(parseReference(image), policies);

test('a signature takes a registry, and no other rule does', () => {
  expect(needs(signedImage)).toBe(false);
  expect(needs(signedImage, policyOf())).toBe(true);
  expect(needs(signedImage, policyOf({ images: [rule()], enforcement: 'audit' }))).toBe(true);
  expect(needs('docker.io/library/nginx', policyOf())).toBe(false);
  const others = policyOf({
    images: [
      { match: ['docker.io/**'], action: 'allow' },
      { match: ['**'], action: 'deny' },
    ],
  });
  expect(needs('nginx', others)).toBe(false);
  expect(needs('registry.example/x', others)).toBe(false);
  expect(needs(signedImage, others, policyOf())).toBe(true);
});

test('so does every image where digests are revoked, other than those', () => {
  const revoking = policyOf({ revoked: { digests: [`sha256:${'00'.repeat(32)}`] } });
  expect(needs('nginx', revoking)).toBe(true);
  expect(needs(signedImage, revoking)).toBe(true);
  expect(needs(signedImage, policyOf({ revoked: { digests: [digest] } }))).toBe(false);
  expect(needs('nginx', policyOf({ revoked: { keys: ['00'.repeat(32)] } }))).toBe(false);
});
