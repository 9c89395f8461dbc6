// Hosts in the keys of pull secrets: a name, or a pattern whose parts between dots may have `*` for any characters and `?` for
// one, so that `*.example.com` is every host directly below example.com and no other.

import { parseRegistry } from '../reference.ts';

/** @param registry `host` or `host:port`, as references have it */
export type HostPattern = (registry: string) => boolean;

const patternForm = /^[a-z0-9*?_.-]{1,253}(?::[0-9]{1,5})?$/;

/** Undefined for what is neither. */
export function hostPattern(text: string): HostPattern | undefined {
  if (!/[*?]/.test(text)) return exact(text);
  const pattern = text.toLowerCase();
  if (!patternForm.test(pattern)) return undefined;
  const [host = '', port] = pattern.split(':');
  const parts = host.split('.');
  return (registry) => {
    const [name = '', registryPort] = registry.split(':');
    const names = name.split('.');
    // The implied port is not written in the names of registries.
    const wanted = port === '443' ? undefined : port;
    return (
      registryPort === wanted &&
      names.length === parts.length &&
      parts.every((part, index) => matches(part, names[index] ?? ''))
    );
  };
}

function exact(text: string): HostPattern | undefined {
  try {
    const registry = parseRegistry(text);
    return (other) => other === registry;
  } catch {
    return undefined;
  }
}

/** In time of the product of the lengths, whatever the pattern: regular expressions may take for ever. */
function matches(pattern: string, text: string): boolean {
  let [at, inText] = [0, 0];
  let lastStar = -1;
  let resumeAt = 0;
  while (inText < text.length) {
    if (pattern[at] === '*') {
      lastStar = at;
      resumeAt = inText;
      at += 1;
    } else if (pattern[at] === '?' || pattern[at] === text[inText]) {
      at += 1;
      inText += 1;
    } else if (lastStar >= 0) {
      // The last star takes one character more.
      resumeAt += 1;
      inText = resumeAt;
      at = lastStar + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
