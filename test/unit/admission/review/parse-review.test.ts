import { describe, expect, test } from 'vitest';
import { AdmissionError } from '../../../../src/admission/errors.ts';
import { parseReview } from '../../../../src/admission/review/parse-review.ts';

const uid = '705ab4f5-6393-11e8-b7cc-42010a800002';

/** As kube-apiserver 1.36 sends it. */
function review(changes: object = {}) {
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      name: 'app',
      namespace: 'trading',
      operation: 'CREATE',
      userInfo: { username: 'admin', groups: ['system:masters'] },
      object: { kind: 'Pod', apiVersion: 'v1' },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...changes,
    },
  };
}

test('reads what is judged by, and not who asks', () => {
  expect(parseReview(review())).toEqual({
    uid,
    kind: { group: '', version: 'v1', kind: 'Pod' },
    subResource: undefined,
    operation: 'CREATE',
    namespace: 'trading',
    name: 'app',
    object: { kind: 'Pod', apiVersion: 'v1' },
    oldObject: undefined,
    dryRun: false,
  });
});

test('reads updates, dry runs, subresources, and objects without a name yet', () => {
  const before = { kind: 'Pod', metadata: {} };
  const update = { operation: 'UPDATE', oldObject: before, subResource: 'ephemeralcontainers', dryRun: true };
  expect(parseReview(review({ ...update, name: '' }))).toMatchObject({
    ...update,
    name: undefined,
  });
  // What was is of no concern to what comes anew.
  expect(parseReview(review({ oldObject: before })).oldObject).toBeUndefined();
});

test('the object is not copied: it is compared and judged as it came', () => {
  const object = JSON.parse('{"spec": {}, "__proto__": {"spec": {"containers": []}}}');
  expect(parseReview(review({ object })).object).toBe(object);
});

describe('refuses', () => {
  const bad: Record<string, unknown> = {
    nothing: undefined,
    'a list': [],
    'no request': { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' },
    'another version': { ...review(), apiVersion: 'admission.k8s.io/v1beta1' },
    'another kind': { ...review(), kind: 'ConversionReview' },
    'no uid': review({ uid: '' }),
    'a uid that is no uid': review({ uid: 'a\nb' }),
    'a deletion': review({ operation: 'DELETE', object: null }),
    'a connection': review({ operation: 'CONNECT' }),
    'no object': review({ object: null }),
    'an object that is a list': review({ object: [] }),
    'an update without what was': review({ operation: 'UPDATE' }),
    'an update of a list': review({ operation: 'UPDATE', oldObject: [] }),
    'what belongs to no namespace': review({ namespace: '' }),
    'a namespace that is none': review({ namespace: 'a/b' }),
    'no kind': review({ kind: 'Pod' }),
    'a text for a flag': review({ dryRun: 'false' }),
  };
  test.each(Object.entries(bad))('%s', (_what, body) => {
    expect(() => parseReview(body)).toThrowError(AdmissionError);
    expect(() => parseReview(body)).toThrowError(expect.objectContaining({ code: 'ERR_REVIEW_INVALID' }));
  });

  test('and says where', () => {
    expect(() => parseReview(review({ operation: 'DELETE' }))).toThrowError(
      /request\.operation: the webhook judges CREATE and UPDATE \(found "DELETE"\)/,
    );
  });
});
