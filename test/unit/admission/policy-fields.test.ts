// Every field of a policy that admission has to do with, changed alone: it makes a no of a yes. A field that is parsed and never
// used would let in what its author believes is refused (CVE-2025-29778).

import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { FindingCode } from '../../../src/admission/decision.ts';
import type { AdmissionRequest } from '../../../src/admission/review/request.ts';
import type { Policy } from '../../../src/model/mesh.ts';
import type { ImageRule } from '../../../src/policy/images/image-requirements.ts';
import type { FakeRegistry } from '../signing/verify/fake-registry.ts';
import { digest, now, slsa } from '../signing/verify/support.ts';
import { container, contextOf, create, decisionOn, judgeOver, meshed, pod } from './decide/support.ts';
import {
  attach,
  authority,
  ec,
  hybrid,
  keyset,
  ml,
  otherHybrid,
  policyOf,
  rule,
  signedRegistry,
} from './images/support.ts';

let registry: FakeRegistry;
beforeEach(() => {
  registry = signedRegistry();
  attach(registry, hybrid, { predicateType: slsa, predicate: { builder: 'ci' } });
});

const by = (changes: Partial<ImageRule>, spec: Policy['spec'] = {}) =>
  policyOf({ images: [rule(changes)], ...spec });
const of = (spec: Policy['spec']) => policyOf(spec, 'base');
const signedBy = (keys: Parameters<typeof keyset>[1], changes: Parameters<typeof keyset>[2] = {}) =>
  by({ authorities: [authority({ keysets: [keyset('only', keys, changes)] })] });
const bothKeysets = [keyset('a', hybrid), keyset('b', otherHybrid)];
const attested = (attestation: NonNullable<ImageRule['attestations']>[number]) =>
  by({ attestations: [attestation] });

const plain = pod();
const inMesh = meshed(pod());
const privileged = meshed(pod({ containers: [container({ securityContext: { privileged: true } })] }));
const labelled = pod({}, { app: 'desk' });

interface Flip {
  readonly yes: Policy;
  readonly no: Policy;
  readonly code: FindingCode;
  /** What is created; a pod with the signed image otherwise. */
  readonly object?: AdmissionRequest['object'];
  readonly reason?: RegExp;
}

const flips: Record<string, Flip> = {
  'images, there at all': {
    yes: of({}),
    no: of({ images: [rule({ match: ['other.example/**'] })] }),
    code: 'image-denied',
  },
  'images.match': { yes: by({}), no: by({ match: ['registry.example/other/**'] }), code: 'image-denied' },
  'images, their order': {
    yes: policyOf({ images: [rule(), rule({ action: 'deny' })] }),
    no: policyOf({ images: [rule({ action: 'deny' }), rule()] }),
    code: 'image-denied',
  },
  'images.action: deny': { yes: by({ action: 'verify' }), no: by({ action: 'deny' }), code: 'image-denied' },
  'images.action: allow': {
    yes: policyOf({ images: [{ match: ['**'], action: 'allow' }] }),
    no: by({ match: ['**'], authorities: [authority({ keysets: [keyset('other', otherHybrid)] })] }),
    code: 'image-not-verified',
  },
  'images.authorities, one more': {
    yes: by({}),
    no: by({ authorities: [authority(), { name: 'qa', keysets: [keyset('qa', otherHybrid)] }] }),
    code: 'image-not-verified',
    reason: /authority "qa"/,
  },
  'images.authorities.threshold': {
    yes: by({ authorities: [authority({ keysets: bothKeysets })] }),
    no: by({ authorities: [authority({ threshold: 2, keysets: bothKeysets })] }),
    code: 'image-not-verified',
    reason: /needs 2 of 2 keysets/,
  },
  'images.authorities.keysets.notAfter': {
    yes: signedBy(hybrid, { notAfter: '2026-11-21T12:00:01Z' }),
    no: signedBy(hybrid, { notAfter: '2026-11-21T12:00:00Z' }),
    code: 'image-not-verified',
  },
  'images.authorities.keysets.keys': {
    yes: signedBy(hybrid),
    no: signedBy(otherHybrid),
    code: 'image-not-verified',
  },
  'images.authorities.keysets.keys, the ML-DSA half of another': {
    yes: signedBy(hybrid),
    no: signedBy([otherHybrid[0] ?? ml, ec]),
    code: 'image-not-verified',
  },
  'images.authorities.keysets.keys.algorithm': {
    yes: signedBy(hybrid),
    no: by({
      authorities: [
        authority({
          keysets: [
            {
              name: 'only',
              keys: [
                ...keyset('only', [ec]).keys,
                ...keyset('only', [ml]).keys.map((key) => ({ ...key, algorithm: 'ML-DSA-87' as const })),
              ],
            },
          ],
        }),
      ],
    }),
    code: 'policy-unusable',
    reason: /the key there is of ML-DSA-65/,
  },
  'images.authorities.keyless': {
    yes: by({}),
    no: by({
      authorities: [
        authority({
          keyless: {
            issuer: 'https://issuer.example',
            subject: 'ci@example.com',
            trustedRoot: { configMapRef: { name: 'root', key: 'root.json', sha256: '00'.repeat(32) } },
          },
        }),
      ],
    }),
    code: 'policy-unusable',
    reason: /there is no entry root\.json/,
  },
  'images.attestations': {
    yes: attested({ predicateType: slsa }),
    no: attested({ predicateType: 'https://spdx.dev/Document' }),
    code: 'image-not-verified',
  },
  'images.attestations.condition': {
    yes: attested({ predicateType: slsa, condition: "predicate.builder == 'ci'" }),
    no: attested({ predicateType: slsa, condition: "predicate.builder == 'laptop'" }),
    code: 'image-not-verified',
    reason: /the condition is false/,
  },
  'revoked.digests': {
    yes: by({}, { revoked: { digests: [`sha256:${'00'.repeat(32)}`] } }),
    no: by({}, { revoked: { digests: [digest] } }),
    code: 'image-revoked',
  },
  'revoked.digests of a policy that only audits, without a word about images': {
    yes: of({ enforcement: 'audit', revoked: { digests: [`sha256:${'00'.repeat(32)}`] } }),
    no: of({ enforcement: 'audit', revoked: { digests: [digest] } }),
    code: 'image-revoked',
  },
  'revoked.keys': {
    yes: by({}, { revoked: { keys: ['00'.repeat(32)] } }),
    no: by({}, { revoked: { keys: [ec.publicKey.spkiSha256] } }),
    code: 'image-not-verified',
  },
  'enforcement, of images': {
    yes: by({ action: 'deny' }, { enforcement: 'warn' }),
    no: by({ action: 'deny' }, { enforcement: 'enforce' }),
    code: 'image-denied',
  },
  'enforcement, of promises': {
    yes: of({ postQuantumEncryption: 'required', enforcement: 'audit' }),
    no: of({ postQuantumEncryption: 'required' }),
    code: 'privileged',
    object: privileged,
  },
  'postQuantumEncryption: preferred': {
    yes: of({ postQuantumEncryption: 'disabled' }),
    no: of({ postQuantumEncryption: 'preferred' }),
    code: 'sidecar-missing',
  },
  'postQuantumEncryption: required': {
    yes: of({ postQuantumEncryption: 'preferred' }),
    no: of({ postQuantumEncryption: 'required' }),
    code: 'privileged',
    object: privileged,
  },
  'complianceLevel, of connections': {
    yes: of({ postQuantumEncryption: 'required', complianceLevel: 'BSI-TR-02102' }),
    no: of({ postQuantumEncryption: 'required', complianceLevel: 'CNSA-2.0' }),
    code: 'compliance-not-enforceable',
    object: inMesh,
  },
  'complianceLevel, of signatures': {
    yes: by({}, { complianceLevel: 'BSI-TR-02102' }),
    no: by({}, { complianceLevel: 'CNSA-2.0' }),
    code: 'image-denied',
    reason: /CNSA-2\.0 of trading\/images/,
  },
  'selector.matchLabels': {
    yes: of({ postQuantumEncryption: 'preferred', selector: { matchLabels: { app: 'other' } } }),
    no: of({ postQuantumEncryption: 'preferred', selector: { matchLabels: { app: 'desk' } } }),
    code: 'sidecar-missing',
    object: labelled,
  },
  'selector.matchExpressions': {
    yes: of({
      postQuantumEncryption: 'preferred',
      selector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] },
    }),
    no: of({
      postQuantumEncryption: 'preferred',
      selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] },
    }),
    code: 'sidecar-missing',
    object: labelled,
  },
  'namespace of the policy': {
    yes: { ...by({ action: 'deny' }), namespace: 'payments' },
    no: { ...by({ action: 'deny' }), namespace: 'trellis-system' },
    code: 'image-denied',
  },
};

describe('changed alone, it makes a no of a yes', () => {
  test.each(Object.entries(flips))('%s', async (_field, { yes, no, code, object = plain, reason = / / }) => {
    const accepted = await decisionOn(create(object), contextOf(registry, [yes]));
    expect(accepted.findings.filter(({ enforcement }) => enforcement === 'enforce')).toEqual([]);
    expect(accepted.allowed).toBe(true);

    const refused = await decisionOn(create(object), contextOf(registry, [no]));
    expect(refused.allowed).toBe(false);
    const [first] = refused.findings;
    expect(first).toMatchObject({ code, enforcement: 'enforce' });
    expect(first?.message).toMatch(reason);
    // Whoever is refused learns by which policy.
    expect(first?.message).toContain(`QuantumSecurityPolicy ${no.namespace}/${no.name}`);
  });
});

test('images.bindReference: a signature that names another repository counts where none is asked for', async () => {
  const elsewhere = signedRegistry();
  elsewhere.listed.splice(0);
  attach(elsewhere, hybrid, { reference: 'registry.example/playground/app' });
  const judged = async (bindReference: 'none' | 'repository') =>
    await decisionOn(create(plain), contextOf(elsewhere, [by({ bindReference })]));
  expect((await judged('none')).allowed).toBe(true);
  expect((await judged('repository')).findings).toMatchObject([{ code: 'image-not-verified' }]);
});

test('the clock: the same policy refuses when its keysets have ended', async () => {
  const policy = signedBy(hybrid, { notAfter: new Date(now.getTime() + 1000).toISOString() });
  const later = new Date(now.getTime() + 1000);
  const ended = await decisionOn(
    create(plain),
    contextOf(registry, [policy], { judge: judgeOver(registry, later) }),
  );
  expect(ended.allowed).toBe(false);
  expect((await decisionOn(create(plain), contextOf(registry, [policy]))).allowed).toBe(true);
});

/** What admission has nothing to do with: connections, and who may make them. */
const ofConnections = /^(authorization|biometricVerification|exceptions|quantumAuthentication|quarantine)$/;
/** Names that only messages show. */
const names = /^images\.authorities\.(keysets\.)?name$/;
/** Where keys and certificates come from, and what labels match, has tests of its own. */
const elsewhere = /^images\.authorities\.(keysets\.keys|keyless)\.|^selector\.matchExpressions\./;

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** Fields without fields of their own: `images.authorities.threshold`. */
function leavesOf({ properties, items }: Schema, path = ''): readonly string[] {
  if (items !== undefined) return leavesOf(items, path);
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, schema]) =>
    leavesOf(schema, path === '' ? name : `${path}.${name}`),
  );
}

test('no field of the schema is forgotten here', async () => {
  const file = new URL('../../../charts/trellis/crds/QuantumSecurityPolicy.yaml', import.meta.url);
  const definition = parse(await readFile(file, 'utf8'));
  const { spec } = definition.spec.versions[0].schema.openAPIV3Schema.properties;
  const leaves = leavesOf(spec);
  expect(leaves).toContain('images.bindReference');
  // `images.action: deny` is about images.action.
  const flipped = Object.keys(flips).map((flip) => flip.replace(/[,:].*| of .*/, ''));
  const tested = [...flipped, 'images.bindReference', 'images.attestations.predicateType'];
  const forgotten = leaves.filter(
    (leaf) =>
      !ofConnections.test(leaf.split('.')[0] ?? '') &&
      !names.test(leaf) &&
      !elsewhere.test(leaf) &&
      !tested.includes(leaf),
  );
  expect(forgotten).toEqual([]);
});
