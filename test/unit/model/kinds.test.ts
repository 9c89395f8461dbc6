import { describe, expect, test } from 'vitest';
import { judgeKind } from '../../../src/model/kinds.ts';

describe('judgeKind', () => {
  test.each([
    ['v1', 'Pod'],
    ['v1', 'Service'],
    ['v1', 'ServiceAccount'],
    ['discovery.k8s.io/v1', 'EndpointSlice'],
    ['quantum.io/v1', 'QuantumService'],
    ['security.quantum.io/v1', 'QuantumSecurityPolicy'],
  ])('reads %s %s', (apiVersion, kind) => {
    expect(judgeKind({ apiVersion, kind })).toEqual({ verdict: 'mesh', kind });
  });

  test.each([
    ['v1', 'ConfigMap'],
    ['apps/v1', 'Deployment'],
    ['serving.knative.dev/v1', 'Service'],
    ['example.com/v1', 'Pod'],
    ['v1', 'constructor'],
  ])('leaves %s %s to others', (apiVersion, kind) => {
    expect(judgeKind({ apiVersion, kind })).toEqual({ verdict: 'foreign', apiVersion, kind });
  });

  // Ignoring any of these would drop a policy without a word.
  test.each([
    ['security.quantum.io/v1', 'QuantumSecurityPolcy', 'did you mean QuantumSecurityPolicy?'],
    ['security.quantum.io/v1', 'Widget', 'the kinds of Trellis are QuantumService, QuantumSecurityPolicy'],
    ['security.quantum.io/v2', 'QuantumSecurityPolicy', 'write security.quantum.io/v1'],
    ['quantum.io/v1', 'QuantumSecurityPolicy', 'write security.quantum.io/v1'],
    ['security.example.io/v1', 'QuantumSecurityPolicy', 'write security.quantum.io/v1'],
    ['discovery.k8s.io/v1beta1', 'EndpointSlice', 'write discovery.k8s.io/v1'],
    ['v2', 'Pod', 'write v1'],
  ])('refuses %s %s', (apiVersion, kind, hint) => {
    expect(judgeKind({ apiVersion, kind })).toMatchObject({
      verdict: 'refused',
      issue: { severity: 'error', code: 'UnsupportedKind', message: expect.stringContaining(hint) },
    });
  });

  test.each([
    [null],
    ['text'],
    [3],
    [[]],
    [{}],
    [{ apiVersion: 'v1' }],
    [{ kind: 'Pod' }],
    [{ apiVersion: 1, kind: 'Pod' }],
  ])('refuses %j', (content) => {
    expect(judgeKind(content)).toMatchObject({ verdict: 'refused', issue: { code: 'InvalidObject' } });
  });
});
