// What the YAML library lets through, or is slow to refuse: checks of a parsed document that take time in proportion to it.

import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type YAMLMap } from 'yaml';
import { maxAliases } from './limits.ts';

export interface TreeProblem {
  /** In characters from the beginning of the text. */
  readonly offset: number;
  readonly message: string;
}

/**
 * The first thing that is wrong with the keys and aliases of a document. Keys are compared as the names they become: `1` and
 * `"1"` are one, and of two equal ones readers of YAML differ in which they take. The library's own check compares every key
 * with every other, and resolves an alias by looking at every other: minutes for a file of a few megabytes.
 */
export function checkTree(document: Document.Parsed): TreeProblem | undefined {
  const problems: TreeProblem[] = [];
  let aliases = 0;
  const open: unknown[] = [document.contents];
  while (open.length > 0) {
    const node = open.pop();
    if (isSeq(node)) {
      for (const item of node.items) open.push(item);
    } else if (isMap(node)) {
      const problem = checkKeys(node);
      if (problem !== undefined) problems.push(problem);
      for (const { value } of node.items) open.push(value);
    } else if (isAlias(node)) {
      aliases++;
      if (aliases > maxAliases) return { offset: startOf(node), message: `more than ${maxAliases} aliases` };
    }
  }
  return problems.sort((a, b) => a.offset - b.offset)[0];
}

function checkKeys(map: YAMLMap): TreeProblem | undefined {
  const names = new Set<string>();
  for (const { key } of map.items) {
    if (!isScalar(key)) return { offset: startOf(key), message: 'a key that is no plain name' };
    // A merge key, which may come more than once.
    if (typeof key.value === 'symbol') continue;
    const name = key.value === null ? '' : String(key.value);
    if (names.has(name)) return { offset: startOf(key), message: 'Map keys must be unique' };
    names.add(name);
  }
  return undefined;
}

function startOf(node: unknown): number {
  return (isNode(node) ? node.range?.[0] : undefined) ?? 0;
}
