// Objects and watch events as the API server sends them.

import { isRecord, ownField } from '../../../model/manifest.ts';
import { statusError } from '../cluster/status-error.ts';
import { KubernetesError } from '../errors.ts';
import type { ResourceType } from './resource-type.ts';

export interface WireObject {
  /** `<namespace>/<name>` */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The whole object, with its apiVersion and kind, which lists leave out. */
  readonly content: Readonly<Record<string, unknown>>;
}

export type WatchEvent =
  | { readonly type: 'set'; readonly object: WireObject }
  | { readonly type: 'delete'; readonly object: WireObject }
  /** Nothing changed up to here. */
  | { readonly type: 'bookmark'; readonly resourceVersion: string }
  /** About an object without a name. */
  | { readonly type: 'unusable' };

/** @throws KubernetesError: what an ERROR event says, or ERR_KUBE_PROTOCOL */
export function readWatchEvent(type: ResourceType, line: string): WatchEvent {
  const event = parseLine(type, line);
  const object = ownField(event, 'object');
  switch (ownField(event, 'type')) {
    case 'ADDED':
    case 'MODIFIED':
      return changed('set', readObject(type, object));
    case 'DELETED':
      return changed('delete', readObject(type, object));
    case 'BOOKMARK': {
      const resourceVersion = ownField(ownField(object, 'metadata'), 'resourceVersion');
      if (typeof resourceVersion !== 'string' || resourceVersion === '') break;
      return { type: 'bookmark', resourceVersion };
    }
    case 'ERROR': {
      const code = ownField(object, 'code');
      throw statusError(`watch of ${type.path}`, typeof code === 'number' ? code : 500, object);
    }
  }
  throw new KubernetesError('ERR_KUBE_PROTOCOL', `watch of ${type.path}: an event of no known type`);
}

function parseLine(type: ResourceType, line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new KubernetesError('ERR_KUBE_PROTOCOL', `watch of ${type.path}: an event that is not JSON`);
  }
}

function changed(type: 'set' | 'delete', object: WireObject | undefined): WatchEvent {
  return object === undefined ? { type: 'unusable' } : { type, object };
}

/** Undefined for what is no object with a name. */
export function readObject({ kind, apiVersion }: ResourceType, item: unknown): WireObject | undefined {
  const metadata = ownField(item, 'metadata');
  const text = (key: string): string => {
    const value = ownField(metadata, key);
    return typeof value === 'string' ? value : '';
  };
  const [name, namespace, resourceVersion] = [text('name'), text('namespace'), text('resourceVersion')];
  if (!isRecord(item) || name === '' || namespace === '' || resourceVersion === '') return undefined;
  return {
    key: `${namespace}/${name}`,
    uid: text('uid'),
    resourceVersion,
    content: { ...item, apiVersion, kind },
  };
}
