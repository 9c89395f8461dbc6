// What is known of the objects in the cluster: not the objects (a pod has 10 KB), but what the mesh reads of them.

import type { MeshKind } from '../../../model/kinds.ts';
import { type Manifest, ownField } from '../../../model/manifest.ts';
import type { ManifestParser, Parsed } from '../../../model/parse.ts';
import type { ObjectSink } from '../reflect/reflector.ts';
import type { WireObject } from '../reflect/wire.ts';
import { closedPolicy } from './closed-policy.ts';

/** One version of an object, as read. */
export interface Version {
  /** Stands for the object where manifests are asked for; `parserOf` knows what it was parsed to. */
  readonly manifest: Manifest;
  readonly parsed: Parsed;
}

export interface MeshObject {
  readonly kind: MeshKind;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly current: Version;
  /** For policies: what takes its place when no version of it can be used. */
  readonly closed: Version | undefined;
  /** The last version that was in force. */
  good: Version | undefined;
}

const parsedOf = new WeakMap<object, Parsed>();

/** The parser to build a state of `Version`s with. */
export const parseVersion: ManifestParser = (content) => {
  const parsed = parsedOf.get(content as object);
  if (parsed === undefined) throw new TypeError('not the manifest of a version');
  return parsed;
};

function versionOf(parsed: Parsed): Version {
  const content = {};
  parsedOf.set(content, parsed);
  return { manifest: { content }, parsed };
}

export class MeshObjects {
  readonly #parse: ManifestParser;
  readonly #onChange: () => void;
  readonly #kinds = new Map<MeshKind, ReadonlyMap<string, MeshObject>>();

  constructor(parse: ManifestParser, onChange: () => void) {
    this.#parse = parse;
    this.#onChange = onChange;
  }

  *all(): Generator<MeshObject> {
    for (const objects of this.#kinds.values()) yield* objects.values();
  }

  /** How many there are of a kind. */
  count(kind: MeshKind): number {
    return this.#kinds.get(kind)?.size ?? 0;
  }

  sinkOf(kind: MeshKind): ObjectSink<MeshObject> {
    let objects = new Map<string, MeshObject>();
    this.#kinds.set(kind, objects);
    return {
      read: (object) => this.#read(kind, object, objects.get(object.key)),
      replace: (all) => {
        objects = new Map(all);
        this.#kinds.set(kind, objects);
        this.#onChange();
      },
      set: (key, object) => {
        objects.set(key, object);
        this.#onChange();
      },
      delete: (key) => {
        if (objects.delete(key)) this.#onChange();
      },
      size: () => objects.size,
    };
  }

  #read(kind: MeshKind, object: WireObject, before: MeshObject | undefined): MeshObject {
    const { uid, resourceVersion, content } = object;
    const same = before?.uid === uid;
    if (same && before.resourceVersion === resourceVersion) return before;
    const parsed = this.#parse(content);
    return {
      ...{ kind, uid, resourceVersion },
      current: versionOf(parsed),
      closed: kind === 'QuantumSecurityPolicy' ? this.#closed(object) : undefined,
      // An object that was deleted and made again under its name is another one.
      good: same ? before.good : undefined,
    };
  }

  #closed({ content }: WireObject): Version | undefined {
    const parsed = closedPolicy(ownField(content, 'metadata'), ownField(content, 'spec'), this.#parse);
    return parsed === undefined ? undefined : versionOf(parsed);
  }
}
