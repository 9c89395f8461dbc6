// Whatever a registry sends, and whatever people write as a reference: it is read in one way, or refused.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseChallenge } from '../../src/registry/auth/challenge.ts';
import { RegistryError } from '../../src/registry/errors.ts';
import { kindOfAddress } from '../../src/registry/http/addresses.ts';
import { nextLink } from '../../src/registry/link.ts';
import { parseManifest } from '../../src/registry/manifest.ts';
import { formatReference, parseReference } from '../../src/registry/reference.ts';
import { parseStrictJson } from '../../src/registry/strict-json.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedText, mutatedValue } from './support/mutations.ts';

const limits = { maxBytes: 100_000, maxDepth: 64 };
const runs = { numRuns: fuzzRuns(500) };

/** The value, or the error that was thrown on purpose; anything else that is thrown fails the property. */
function outcome<T>(read: () => T): { readonly value: T } | { readonly code: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof RegistryError) return { code: error.code };
    throw error;
  }
}

/** In words of JSON.parse, which sees every object with the members it has kept: as many as were written, or one is lost. */
function isStrict(bytes: Buffer): boolean {
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) return false;
  let kept = 0;
  let isWhole = true;
  const look = (name: string, value: unknown): unknown => {
    isWhole &&=
      name !== '__proto__' && [name, value].every((each) => typeof each !== 'string' || each.isWellFormed());
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      kept += Object.keys(value).length;
    return value;
  };
  try {
    JSON.parse(text, look);
  } catch {
    return false;
  }
  const written = text.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/:/g)?.length ?? 0;
  return isWhole && kept === written;
}

describe('JSON', () => {
  test('without anything strange is what JSON.parse reads', () => {
    const value = fc
      .jsonValue({ maxDepth: 10 })
      .filter((each) => !JSON.stringify(each).includes('__proto__'));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), (each, space) => {
        const text = JSON.stringify(each, undefined, space);
        expect(parseStrictJson(Buffer.from(text), limits)).toEqual(JSON.parse(text));
      }),
      runs,
    );
  });

  test('with a member twice is refused, wherever that is and however it is written', () => {
    const escaped = (name: string): string =>
      [...name].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    const around = fc.array(fc.constantFrom(...(['list', 'object', 'beside'] as const)), { maxLength: 8 });
    const name = fc.string({ unit: 'grapheme-ascii', maxLength: 8 });
    fc.assert(
      fc.property(name, fc.boolean(), fc.jsonValue(), around, (member, isEscaped, value, wrappers) => {
        const other = isEscaped ? `"${escaped(member)}"` : JSON.stringify(member);
        let text = `{${JSON.stringify(member)}: ${JSON.stringify(value)}, ${other}: 1}`;
        for (const wrapper of wrappers) {
          if (wrapper === 'list') text = `[{"a": []}, ${text}, 1]`;
          else if (wrapper === 'object') text = `{"a": ${text}}`;
          else text = `{"a": {"b": "}"}, "b": ${text}, "c": {"b": 1}}`;
        }
        expect(outcome(() => parseStrictJson(Buffer.from(text), limits))).toEqual({
          code: 'ERR_JSON_INVALID',
        });
      }),
      runs,
    );
  });

  test('of arbitrary bytes is read as JSON.parse reads it, or refused for a reason', () => {
    const text = mutatedText(fc.json(), [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '\\',
      '\\u',
      '\\ud800',
      '"a":1,',
      '0',
      '-',
      '.',
      'e1',
      ' ',
      '\t',
      '\n',
      '\u0000',
      'null',
      '__proto__',
      '\ufeff',
    ]);
    const bytes = fc.oneof(
      text.map((each) => Buffer.from(each)),
      fc.uint8Array({ maxLength: 100 }).map((each) => Buffer.from(each)),
    );
    fc.assert(
      fc.property(bytes, (each) => {
        const result = outcome(() => parseStrictJson(each, limits));
        const expected = isStrict(each)
          ? { value: JSON.parse(each.toString('utf8')) }
          : { code: 'ERR_JSON_INVALID' };
        expect(result).toEqual(expected);
      }),
      runs,
    );
  });
});

describe('a manifest', () => {
  const mediaTypes = [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ];
  const [imageType = '', indexType = ''] = mediaTypes;
  const descriptor = {
    mediaType: 'a/b',
    digest: `sha256:${'1'.repeat(64)}`,
    size: 1,
    annotations: { a: 'b' },
  };
  const image = {
    ...{ schemaVersion: 2, mediaType: imageType, artifactType: 'a/b', annotations: { a: 'b' } },
    ...{ config: descriptor, layers: [descriptor], subject: descriptor },
  };
  const index = { schemaVersion: 2, mediaType: indexType, manifests: [descriptor], subject: descriptor };
  const names = [
    'layers',
    'Layers',
    'manifests',
    'config',
    'mediaType',
    'subject',
    'size',
    'digest',
    'data',
    'urls',
  ];
  const values = [null, 0, -1, '', [], {}, 'a/b', indexType, descriptor, [descriptor]];

  test('is refused, or an image or an index as its media type says, and nothing of the other', () => {
    const mutated = mutatedValue(fc.constantFrom<unknown>(image, index), names, values);
    fc.assert(
      fc.property(mutated, fc.constantFrom(...mediaTypes), (value, mediaType) => {
        const bytes = Buffer.from(JSON.stringify(value) ?? '');
        const result = outcome(() => parseManifest(bytes, mediaType));
        if (!('value' in result)) return;
        const { value: manifest } = result;
        expect(manifest.mediaType).toBe(mediaType);
        const raw = value as Record<string, unknown>;
        expect([undefined, '', mediaType]).toContain(raw['mediaType']);
        const [own, foreign] = manifest.kind === 'index' ? ['manifests', 'layers'] : ['layers', 'manifests'];
        expect(Object.keys(raw)).toContain(own);
        expect(Object.keys(raw).map((name) => name.toLowerCase())).not.toContain(foreign);
      }),
      runs,
    );
  });
});

describe('a reference', () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,5}([._-][a-z0-9]{1,5}){0,2}$/);
  const references = fc
    .tuple(
      fc.constantFrom('registry.example/', 'localhost:5000/', '[::1]:5000/', '127.0.0.1:80/', 'docker.io/'),
      fc.array(part, { minLength: 1, maxLength: 3 }),
      fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/)),
      fc.option(fc.constantFrom(`sha256:${'a'.repeat(64)}`, `sha512:${'b'.repeat(128)}`)),
    )
    .map(
      ([host, path, tag, digest]) =>
        `${host}${path.join('/')}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`,
    );

  test('is written in one way, which means the same', () => {
    const pieces = ['/', ':', '@', '.', '-', '_', 'A', '%2f', '..', '//', ' ', '\n', '[', ']', 'sha256:'];
    fc.assert(
      fc.property(fc.oneof(references, mutatedText(references, pieces), fc.string()), (text) => {
        const result = outcome(() => parseReference(text));
        if (!('value' in result)) return;
        const whole = formatReference(result.value);
        expect(parseReference(whole)).toEqual(result.value);
        // As a part of a URL it stays what it is.
        const { registry, path } = result.value;
        const url = new URL(`https://${registry}/v2/${path}/manifests/x`);
        expect([url.host, `:${url.port || 443}`]).toSatisfy(
          ([host, port]: [string, string]) => host === registry || `${host}${port}` === registry,
        );
        expect(url.pathname).toBe(`/v2/${path}/manifests/x`);
      }),
      runs,
    );
  });

  test('that is well-formed is read', () => {
    fc.assert(
      fc.property(references, (text) => {
        expect(outcome(() => parseReference(text))).toHaveProperty('value');
      }),
      runs,
    );
  });
});

test('an IPv4 address is the same thing inside of IPv6', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
      const hex = [a * 256 + b, c * 256 + d].map((group) => group.toString(16)).join(':');
      const kind = kindOfAddress(address);
      for (const form of [`::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::`]) {
        expect(kindOfAddress(form)).toBe(kind);
      }
    }),
    runs,
  );
});

test('headers of any kind are read or refused', () => {
  const pieces = [
    'Bearer ',
    'Basic ',
    'realm',
    '=',
    '"',
    '\\',
    ',',
    ' ',
    '<',
    '>',
    ';',
    'rel',
    'next',
    'https://a',
  ];
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...pieces)).map((each) => each.join('')),
  );
  fc.assert(
    fc.property(text, (header) => {
      outcome(() => chooseChallenge(header, 'registry.example'));
      expect(header).toContain(nextLink(header) ?? '');
    }),
    runs,
  );
});
