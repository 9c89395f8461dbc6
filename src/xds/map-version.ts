// A short name for a set of resources, for people: the same content has the same name in every replica.

import { createHash } from 'node:crypto';
import { compareText } from '../model/problem.ts';
import type { ResourceMap } from './resources.ts';
import type { View } from './view.ts';

/** Only compared by eye and in logs; nothing is decided by it. */
const shownChars = 8;

const names = new WeakMap<ResourceMap, string>();

/** `<mesh-wide part>.<own part>` */
export function viewVersion(view: View): string {
  return `${mapVersion(view.shared)}.${mapVersion(view.own)}`;
}

function mapVersion(resources: ResourceMap): string {
  if (resources.size === 0) return '0';
  const known = names.get(resources);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  const versions = [...resources.values()].map(({ name, version }) => `${name}\0${version}\n`);
  for (const line of versions.sort(compareText)) hash.update(line);
  const name = hash.digest('base64url').slice(0, shownChars);
  names.set(resources, name);
  return name;
}
