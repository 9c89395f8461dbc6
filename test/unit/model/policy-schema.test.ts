// Each constraint of the QuantumSecurityPolicy schema, by a value on either side of it.

import { describe, expect, test } from 'vitest';
import { acceptedSpecs, id, image, key, refusedSpecs, rule } from '../../support/policy-cases.ts';
import { build, codes, pod, policy, stateOf } from './support.ts';

/** The errors of one policy, in the namespace of one pod. */
function errors(spec: string, namespace?: string): string[] {
  const { problems } = build(pod('a'), policy(spec, namespace));
  return codes(problems.filter(({ severity }) => severity === 'error'));
}

describe('accepted', () => {
  test.each(acceptedSpecs)('%s', (spec) => {
    expect(errors(spec)).toEqual([]);
  });
});

describe('refused', () => {
  test.each(refusedSpecs)('%s %s', (code, spec) => {
    expect(errors(spec)).toContain(`error ${code}`);
  });

  test('two authorities of one name', () => {
    const ci = `{name: ci, keysets: [{name: a, keys: [${key}]}]}`;
    expect(errors(image(`authorities: [${ci}, ${ci}]`))).toEqual(['error InvalidField']);
  });

  test('quarantine, outside the root namespace only', () => {
    expect(errors(`{quarantine: ["${id}"]}`)).toEqual(['error RootNamespaceOnly']);
    expect(errors('{quarantine: []}')).toEqual(['error RootNamespaceOnly']);
    expect(errors(`{quarantine: ["${id}"]}`, 'trellis-system')).toEqual([]);
    expect(errors(`{quarantine: ["spiffe://cluster.local/ns/*"]}`, 'trellis-system')).toEqual([
      'error InvalidField',
    ]);
  });
});

describe('messages', () => {
  const messages = (spec: string) => build(pod('a'), policy(spec)).problems.map((problem) => problem.message);

  test('an unknown field is named by its path, with the likely meaning', () => {
    expect(messages('{postQuantumEncrytion: required}')).toEqual([
      'spec.postQuantumEncrytion: unknown field; did you mean postQuantumEncryption?',
    ]);
    expect(messages('{authorization: [{from: [{principals: ["*"], principal: x}]}]}')).toEqual([
      'spec.authorization[0].from[0].principal: unknown field; did you mean principals?',
    ]);
  });

  test('an unknown field that resembles nothing: what there is', () => {
    expect(messages('{revoked: {digests: [], certificates: []}}')).toEqual([
      'spec.revoked.certificates: unknown field; the fields here are digests, keys',
    ]);
  });

  test('fields of planned features are unknown, not ignored', () => {
    expect(
      messages('{exceptions: [{port: 9090, host: a, postQuantumEncryption: disabled, reason: x}]}')[0],
    ).toContain('spec.exceptions[0].port: unknown field');
  });

  test('a wrong value: what would be right', () => {
    expect(messages('{enforcement: enforced}')).toEqual([
      'spec.enforcement: "enforced" is not one of enforce, warn, audit',
    ]);
    expect(messages(rule('{ports: [70000]}'))).toEqual([
      'spec.authorization[0].to[0].ports[0]: 70000 is out of range; it must be <= 65535',
    ]);
    expect(messages('{quantumAuthentication: }')).toEqual([
      'spec.quantumAuthentication: has no value; remove the field or give it one',
    ]);
  });

  test('values are escaped and shortened', () => {
    const [message] = messages(`{enforcement: "\\e[31m${'x'.repeat(10_000)}"}`);
    expect(message).not.toContain('\u001b');
    expect(message?.length).toBeLessThan(250);
  });

  test('an object with very many mistakes is not listed endlessly', () => {
    const many = Array.from({ length: 500 }, (_, index) => `{ports: [${70_000 + index}]}`).join(', ');
    const found = messages(rule(many));
    expect(found).toHaveLength(21);
    expect(found).toContain('there are more problems in this object; mend these first');
  });

  test('fields beside spec are refused too; status is the control plane’s and ignored', () => {
    const text = `${policy('{}')}status: {anything: 1}\nspecs: {}\n`;
    expect(build(pod('a'), text).problems.map((problem) => problem.message)).toEqual([
      '"specs": unknown field beside metadata and spec; did you mean to write it under spec?',
    ]);
  });

  test('a missing spec', () => {
    const { problems } = build('{apiVersion: quantum.io/v1, kind: QuantumService, metadata: {name: a}}');
    expect(codes(problems)).toEqual(['error MissingField']);
  });
});

test('the default is filled in, the spec frozen, and what was read left as it was', () => {
  const state = stateOf(pod('a'), policy('{authorization: []}'));
  const spec = state.policies.get('trading/policy')?.spec;
  expect(spec).toEqual({ authorization: [], enforcement: 'enforce' });
  expect(Object.isFrozen(spec)).toBe(true);
  expect(Object.isFrozen(spec?.authorization)).toBe(true);
});
