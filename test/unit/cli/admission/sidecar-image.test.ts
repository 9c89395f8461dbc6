import { describe, expect, test } from 'vitest';
import { sidecarSettings } from '../../../../src/cli/admission/sidecar-image.ts';

const [old, current] = ['ab', 'cd'].map((pair) => `sha256:${pair.repeat(32)}`) as [string, string];

test('none: nothing is injected', () => {
  expect(sidecarSettings([])).toBeUndefined();
});

test('the first is injected, and all are accepted, by their digests alone', () => {
  expect(sidecarSettings([`envoyproxy/envoy:v1.40.0@${current}`, `registry.example/envoy@${old}`])).toEqual({
    revisions: [
      { name: 'envoy-cdcdcdcdcdcd', image: `docker.io/envoyproxy/envoy@${current}` },
      { name: 'envoy-abababababab', image: `registry.example/envoy@${old}` },
    ],
  });
});

describe('what is no digest', () => {
  test.each([
    ['envoyproxy/envoy:v1.40.0', /--sidecar-image envoyproxy\/envoy:v1\.40\.0: a tag can be moved/],
    ['envoyproxy/envoy', /a tag can be moved/],
    ['A B', /--sidecar-image: "A B" is no image reference/],
  ])('%s is refused', (image, message) => {
    expect(() => sidecarSettings([`envoy@${current}`, image])).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringMatching(message) }),
    );
  });
});
