// The text of one manifest file → its objects, each knowing where its fields stand.

import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
} from 'yaml';
import type { Manifest } from '../../model/manifest.ts';
import { isRecord } from '../../model/manifest.ts';
import { type FieldPath, firstLine, type Origin, type Problem } from '../../model/problem.ts';
import { checkTree } from './check-tree.ts';
import { fileError } from './file-problem.ts';
import { maxAliases, maxObjectsPerFile } from './limits.ts';

export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/** YAML (one or more documents) or JSON, `List` kinds taken apart. Never throws. `file` is how messages call it. */
export function parseManifestFile(file: string, text: string): ParsedFile {
  if (text === '') {
    const message =
      'the file is empty, as while it is being written; delete it, or write a comment into it, to mean nothing';
    return { manifests: [], problems: [fileError('EmptyFile', file, message)] };
  }
  try {
    return parseText(file, text);
  } catch (cause) {
    // The parser reports mistakes as data; what it throws is a resource running out, such as the stack.
    const message = `cannot be parsed: ${messageOf(cause)}; split or simplify the file`;
    return { manifests: [], problems: [fileError('InvalidSyntax', file, message)] };
  }
}

function parseText(file: string, text: string): ParsedFile {
  const { documents, lines } = parseYaml(text);
  const at = (offset: number): Origin => ({ file, ...lineAndColumn(lines, offset) });
  const problems = documents.flatMap((document) => syntaxProblems(document, at));
  if (problems.length > 0) return { manifests: [], problems: problems.slice(0, 1) };

  const locate = locator(file, text);
  const manifests: Manifest[] = [];
  for (const [index, document] of documents.entries()) {
    const start = document.contents?.range?.[0] ?? 0;
    const content = toPlain(document);
    if ('problem' in content) return failed('InvalidSyntax', at(start), content.problem);
    if (content.value === null) continue;
    for (const item of takeApart(content.value, [])) {
      if (typeof item === 'string') return failed('InvalidObject', at(start), item);
      manifests.push({ content: item.content, locate: (path) => locate(index, [...item.path, ...path]) });
    }
    if (manifests.length > maxObjectsPerFile) {
      return failed(
        'LimitExceeded',
        at(start),
        `more than ${maxObjectsPerFile} objects in one file; split it`,
      );
    }
  }
  return { manifests, problems: [] };
}

type YamlDocument = Document.Parsed<ParsedNode>;

function parseYaml(text: string): {
  readonly documents: readonly YamlDocument[];
  readonly lines: LineCounter;
} {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    version: '1.2',
    // checkTree does it, in less time.
    uniqueKeys: false,
    merge: true,
    prettyErrors: false,
    // Warnings are read from the document, below; the library shall not print them as well.
    logLevel: 'error',
  });
  return { documents: Array.isArray(documents) ? documents : [], lines };
}

/** A warning is an unknown tag: a value that would not be what it says. */
function syntaxProblems(document: YamlDocument, at: (offset: number) => Origin): readonly Problem[] {
  const found = [...document.errors, ...document.warnings].map((error) => ({
    offset: error.pos[0],
    message: messageOf(error),
  }));
  const problem = found.length === 0 ? checkTree(document) : undefined;
  return [...found, ...(problem === undefined ? [] : [problem])].map(({ offset, message }) => {
    const { file, line, column } = at(offset);
    return fileError('InvalidSyntax', file, `not valid YAML: ${message}`, line, column);
  });
}

function toPlain(document: YamlDocument): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: document.toJS({ maxAliasCount: maxAliases }) };
  } catch (cause) {
    return { problem: `cannot be read: ${messageOf(cause)}` };
  }
}

function failed(
  code: 'InvalidSyntax' | 'InvalidObject' | 'LimitExceeded',
  at: Origin,
  message: string,
): ParsedFile {
  return { manifests: [], problems: [fileError(code, at.file, message, at.line, at.column)] };
}

interface Item {
  readonly content: unknown;
  readonly path: FieldPath;
}

/** `List`, and typed lists such as `PodList`, whose items may leave out their kind. A string says what is wrong. */
function takeApart(content: unknown, path: FieldPath): readonly (Item | string)[] {
  if (!isList(content)) return [{ content, path }];
  const items = content['items'] ?? [];
  if (!Array.isArray(items)) return ['items: a List has a list of items'];
  const { apiVersion, kind } = content;
  const typed = kind === 'List' ? {} : { apiVersion, kind: String(kind).slice(0, -'List'.length) };
  return items.map((item, index) => {
    if (isList(item)) return `items[${index}]: a List inside a List; take the inner one apart`;
    return {
      content: isRecord(item) && kind !== 'List' ? { ...typed, ...item } : item,
      path: [...path, 'items', index],
    };
  });
}

function isList(content: unknown): content is Readonly<Record<string, unknown>> {
  if (!isRecord(content) || typeof content['kind'] !== 'string') return false;
  return content['kind'] === 'List' || (content['kind'].endsWith('List') && Array.isArray(content['items']));
}

/**
 * Finds places in a text that has been parsed before. It parses again, and only when asked: the syntax tree is many times
 * larger than the text, and most files have no problem.
 */
function locator(file: string, text: string): (document: number, path: FieldPath) => Origin {
  let parsed: ReturnType<typeof parseYaml> | undefined;
  return (document, path) => {
    parsed ??= parseYaml(text);
    const tree = parsed.documents[document];
    return { file, ...lineAndColumn(parsed.lines, tree === undefined ? 0 : offsetOf(tree, path)) };
  };
}

/** Where the field's key stands, or that of the innermost field on the way to it that exists. */
function offsetOf(document: YamlDocument, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    const next = isMap(node) ? pairOf(node.items, step) : itemOf(node, step);
    if (next === undefined) break;
    offset = next.offset ?? offset;
    node = next.node;
  }
  return offset;
}

interface Place {
  readonly node: unknown;
  readonly offset: number | undefined;
}

function pairOf(
  pairs: readonly { readonly key: unknown; readonly value: unknown }[],
  step: string | number,
): Place | undefined {
  const pair = pairs.find(({ key }) => isScalar(key) && String(key.value) === String(step));
  return pair === undefined ? undefined : { node: pair.value, offset: startOf(pair.key) };
}

function itemOf(node: unknown, step: string | number): Place | undefined {
  if (!isSeq(node) || typeof step !== 'number' || step >= node.items.length) return undefined;
  const item = node.items[step];
  return { node: item, offset: startOf(item) };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function lineAndColumn(
  lines: LineCounter,
  offset: number,
): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function messageOf(cause: unknown): string {
  return firstLine(cause instanceof Error ? cause.message : String(cause));
}
