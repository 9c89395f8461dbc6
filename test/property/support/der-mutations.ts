// DER that is well-formed and yet not what it should be: a tree of elements with some removed, repeated, added or changed, its
// lengths made right again. Changes to bytes alone nearly always break a length first, and are refused for that.

import fc from 'fast-check';
import { DerReader } from '../../../src/crypto/der/read.ts';
import { tag } from '../../../src/crypto/der/tags.ts';
import { tlv } from '../../../src/crypto/der/write.ts';
import { described } from './mutations.ts';

interface Node {
  tag: number;
  /** Octets before the children: BIT STRINGs and the like that are not taken apart have all of theirs here. */
  content: Uint8Array;
  children: Node[];
}

const constructedBit = 0x20;

/** Also into OCTET STRINGs that hold DER, as extensions do. */
function parseTree(bytes: Uint8Array): Node[] {
  const reader = new DerReader(bytes);
  const nodes: Node[] = [];
  while (!reader.atEnd) {
    const { tag: identifier, content } = reader.nextOfAny('node');
    const isTaken =
      (identifier & constructedBit) !== 0 || (identifier === tag.octetString && holdsDer(content));
    nodes.push({
      tag: identifier,
      content: isTaken ? new Uint8Array() : content,
      children: isTaken ? parseTree(content) : [],
    });
  }
  return nodes;
}

function holdsDer(bytes: Uint8Array): boolean {
  try {
    return parseTree(bytes).length > 0;
  } catch {
    return false;
  }
}

function encodeTree(nodes: readonly Node[]): Buffer {
  return Buffer.concat(nodes.map((node) => tlv(node.tag, node.content, encodeTree(node.children))));
}

interface Edit {
  readonly kind: 'remove' | 'repeat' | 'add' | 'swap' | 'retag' | 'content' | 'prefix';
  readonly at: number;
  readonly octets: Uint8Array;
  readonly tag: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('remove', 'repeat', 'add', 'swap', 'retag', 'content', 'prefix'),
  at: fc.nat(),
  octets: fc
    .array(fc.oneof(fc.constantFrom(0, 0xff, 0x80, 0x7f, 1, 0x30), fc.nat({ max: 255 })), { maxLength: 4 })
    .map((octets) => Uint8Array.from(octets)),
  tag: fc.oneof(
    fc.constantFrom<number>(...Object.values(tag), 0x05, 0x80, 0x82, 0x86, 0xa0, 0xa1, 0xa3),
    fc.nat({ max: 0xff }).filter((octet) => (octet & 0x1f) !== 0x1f),
  ),
});

/** One to three changes to the tree of a valid encoding. */
export function mutatedDer(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> {
  return fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([bytes, edits]) => {
    const root: Node = { tag: 0, content: new Uint8Array(), children: parseTree(bytes) };
    for (const each of edits) apply(root, each);
    return described(encodeTree(root.children), edits);
  });
}

function apply(root: Node, { kind, at, octets, tag: identifier }: Edit): void {
  const places = placesIn(root);
  const place = places[at % Math.max(places.length, 1)];
  if (place === undefined) return;
  const { siblings, index } = place;
  const node = siblings[index];
  if (node === undefined) return;
  switch (kind) {
    case 'remove':
      siblings.splice(index, 1);
      break;
    case 'repeat':
      siblings.splice(index, 0, structuredClone(node));
      break;
    case 'add':
      siblings.splice(index, 0, { tag: identifier, content: octets, children: [] });
      break;
    case 'swap':
      siblings.splice(index, 2, ...siblings.slice(index, index + 2).reverse());
      break;
    case 'retag':
      node.tag = identifier;
      break;
    case 'content':
      siblings[index] = { tag: node.tag, content: octets, children: [] };
      break;
    case 'prefix':
      node.content = Buffer.concat([octets, node.content]);
      break;
  }
}

function placesIn(node: Node): { readonly siblings: Node[]; readonly index: number }[] {
  return node.children.flatMap((child, index) => [{ siblings: node.children, index }, ...placesIn(child)]);
}
