// Names of images stand in rules, too, whose folder knows nothing of registries: both must mean the same by them.

import { describe, expect, test } from 'vitest';
import { compileImageGlobs, neverMatches } from '../../../src/policy/images/image-glob.ts';
import { dockerHubAliases, parseReference, repositoryName } from '../../../src/registry/reference.ts';

const isReference = (text: string): boolean => {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
};

describe('rules and references', () => {
  const hosts = [
    'docker.com',
    'hub.docker.com',
    'registry.hub.docker.com',
    'registry.docker.io',
    'docker.io',
  ];

  test.each([...new Set([...dockerHubAliases, ...hosts])])('agree on whether %s is Docker Hub', (host) => {
    const isOther = parseReference(`${host}/a/b`).registry !== host;
    expect(/known as docker\.io/.test(neverMatches(`${host}/a/b`) ?? '')).toBe(isOther);
  });

  test.each([
    ...['a', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', '0'],
    ...['', '.', '..', 'a..b', 'a._b', 'a___b', 'a.-b', '-a', 'a-', '_a', 'a_', '.a', 'A', 'a b', 'ä'],
  ])('agree on whether %j is part of a repository', (part) => {
    expect(neverMatches(`registry.example/${part}/b`) === undefined).toBe(
      isReference(`registry.example/${part}/b`),
    );
  });

  test.each([
    ...['registry.example:5000', 'registry.example:443', 'registry.example:80', 'registry.example:0443'],
    ...['registry.example:8443', 'registry.example:0', 'registry.example:65536x', 'my_registry.example'],
  ])('agree on %s', (host) => {
    const written = isReference(`${host}/a`) ? repositoryName(parseReference(`${host}/a`)) : undefined;
    expect(neverMatches(`${host}/a`) === undefined).toBe(written === `${host}/a`);
  });

  test('agree on what is at port 443', () => {
    const name = repositoryName(parseReference('registry.example:443/a'));
    expect(name).toBe('registry.example/a');
    expect(compileImageGlobs([name])('registry.example:443/a')).toBe(true);
  });
});
