// What is known of the objects in the cluster: not the objects (a pod has 10 KB), but what the mesh reads of them.

import type { MeshKind } from '../../../model/kinds.ts';
import { type Manifest, ownField } from '../../../model/manifest.ts';
import type { ManifestParser, Parsed } from '../../../model/parse.ts';
import type { ObjectSink } from '../reflect/reflector.ts';
import type { WireObject } from '../reflect/wire.ts';
import { closedPolicy } from './closed-policy.ts';
import { readRevocations, withRevocations } from './revocations.ts';

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
  /** For policies, whose status we write. */
  readonly written: WrittenStatus | undefined;
  /** The last good version before this one; of a policy, revoking what this one revokes as well. In force where this one cannot be used. */
  readonly kept: Version | undefined;
  /** The last version that could be used as it was written. */
  good: Version | undefined;
}

/** Of an object, as the API server has it. */
export interface WrittenStatus {
  /** Changes with every change of its spec. */
  readonly generation: number;
  readonly status: unknown;
}

const parsedOf = new WeakMap<object, Parsed>();

/** The parser to build a state of `Version`s with. */
export const parseVersion: ManifestParser = (content) => {
  const parsed = parsedOf.get(content as object);
  if (parsed === undefined) throw new TypeError('not the manifest of a version');
  return parsed;
};

function keptVersion(good: Version, content: unknown): Version {
  const parsed = withRevocations(good.parsed, readRevocations(ownField(content, 'spec')));
  return parsed === good.parsed ? good : versionOf(parsed);
}

function writtenStatus(content: unknown): WrittenStatus | undefined {
  const generation = ownField(ownField(content, 'metadata'), 'generation');
  return typeof generation === 'number' ? { generation, status: ownField(content, 'status') } : undefined;
}

function versionOf(parsed: Parsed): Version {
  const content = {};
  parsedOf.set(content, parsed);
  return { manifest: { content }, parsed };
}

/** What stands in for a policy, with what is wrong with that. */
export function standIn(closed: Version, reasons: readonly string[]): Version {
  const { resource } = closed.parsed;
  if (resource?.kind !== 'QuantumSecurityPolicy') return closed;
  return versionOf({ ...closed.parsed, resource: { ...resource, unusable: reasons.join('; ') } });
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

  /** Those of a kind, by `<namespace>/<name>`. */
  of(kind: MeshKind): ReadonlyMap<string, MeshObject> {
    return this.#kinds.get(kind) ?? new Map();
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
    const isPolicy = kind === 'QuantumSecurityPolicy';
    // An object that was deleted and made again under its name is another one.
    const good = same ? before.good : undefined;
    return {
      ...{ kind, uid, resourceVersion, good },
      current: versionOf(this.#parse(content)),
      closed: isPolicy ? this.#closed(object) : undefined,
      written: isPolicy ? writtenStatus(content) : undefined,
      kept: good && isPolicy ? keptVersion(good, content) : good,
    };
  }

  #closed({ content }: WireObject): Version | undefined {
    const parsed = closedPolicy(ownField(content, 'metadata'), ownField(content, 'spec'), this.#parse);
    return parsed === undefined ? undefined : versionOf(parsed);
  }
}
