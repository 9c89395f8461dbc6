import { expect, test } from 'vitest';
import { digestOf } from '../../../../src/registry/digest.ts';
import { type Claim, signatureClaim } from '../../../../src/signing/sign/payload.ts';
import { readBack } from '../../../../src/signing/sign/read-back.ts';
import type { AuthorityVerdict, Verdict } from '../../../../src/signing/verify/verdict.ts';
import type { VerificationRequest } from '../../../../src/signing/verify/verifier.ts';
import { MemoryRegistry } from './memory-registry.ts';
import { authorityOf, now, partyOf, reference } from './support.ts';

const digest = digestOf(Buffer.from('an image'));
const authority = authorityOf([partyOf('ECDSA-P256')]);
const attestation: Claim = { predicateType: 'https://example.com/a', predicate: { a: 1 }, annotations: {} };

const good: AuthorityVerdict = { name: 'ci', ok: true, code: 'satisfied', reason: '', keysets: [] };
const bad: AuthorityVerdict = { ...good, ok: false, code: 'threshold-missed', reason: 'none is by ci' };

/** What is made of a verdict, and what was asked. */
async function ask(claim: Claim, authorities: readonly AuthorityVerdict[], attested = authorities) {
  const asked: VerificationRequest[] = [];
  const verdict: Verdict = {
    ok: true,
    digest,
    reference: '',
    authorities,
    attestations: [
      { predicateType: claim.predicateType, condition: undefined, ok: true, authorities: attested },
    ],
    signatures: [],
  };
  const verifier = {
    verify: async (request: VerificationRequest) => {
      asked.push(request);
      return verdict;
    },
  };
  const { client } = new MemoryRegistry();
  const verify = readBack({ verifier, client, repository: reference, authority, claim, now });
  return { answer: await verify(digest), asked };
}

test('asks about the digest, whatever the tag names by then', async () => {
  const { asked } = await ask(signatureClaim(), [good]);
  expect(asked).toMatchObject([{ reference: { registry: 'registry.example', tag: undefined, digest } }]);
});

test('a signature counts by the authorities, an attestation by itself', async () => {
  expect((await ask(signatureClaim(), [good], [bad])).answer.ok).toBe(true);
  expect((await ask(signatureClaim(), [bad], [good])).answer).toEqual({ ok: false, reason: 'none is by ci' });
  expect((await ask(attestation, [bad], [good])).answer.ok).toBe(true);
  expect((await ask(attestation, [good], [bad])).answer).toEqual({ ok: false, reason: 'none is by ci' });
});

test('a verdict about nobody is no good one', async () => {
  for (const claim of [signatureClaim(), attestation]) {
    expect((await ask(claim, [])).answer).toEqual({ ok: false, reason: 'nothing was found' });
  }
});
