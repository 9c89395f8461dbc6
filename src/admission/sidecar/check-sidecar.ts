// Whether the sidecar in a pod is the one that this mesh injects. Rendered again and compared field by field: what it gets its
// identity with, and what the rest of the pod cannot do to it, is all in there.

import { formatPath } from '../../model/problem.ts';
import { withoutAdditions } from './additions.ts';
import { type Difference, describeDifference, firstDifference } from './difference.ts';
import { sidecarName } from './names.ts';
import { itemsOf, type JsonObject, type PodObject, specOf } from './pod-object.ts';
import { renderSidecar } from './render.ts';
import { placeField, type ReservedPlace, reservedPlaces } from './reserved.ts';
import type { SidecarRevision, SidecarSettings } from './settings.ts';

export type SidecarCheck =
  /** The revision that it is of; undefined for a pod that has none and should have none. */
  | { readonly state: 'ok'; readonly revision: SidecarRevision | undefined }
  | {
      readonly state: 'missing' | 'altered';
      /** In the pod: `spec.initContainers[0].securityContext.runAsUser`. */
      readonly field: string | undefined;
      /** A sentence without the full stop: what is wrong, and what to do. */
      readonly reason: string;
    };

/**
 * Looks at the whole of a final pod, as it would be stored.
 *
 * @param should whether the pod has to have one. Where it need not, one that is there must still be genuine.
 */
export function checkSidecar(pod: PodObject, should: boolean, settings: SidecarSettings): SidecarCheck {
  return presentSidecar(pod, settings) ?? (should ? missing : { state: 'ok', revision: undefined });
}

/** One decision asks several times, about the same object, which nobody changes. */
const checked = new WeakMap<
  PodObject,
  { readonly by: SidecarSettings; readonly check: SidecarCheck | undefined }
>();

/** Undefined: nothing in the pod bears a name of the sidecar's. */
function presentSidecar(pod: PodObject, settings: SidecarSettings): SidecarCheck | undefined {
  const before = checked.get(pod);
  if (before?.by === settings) return before.check;
  const check = checkPresent(pod, settings);
  checked.set(pod, { by: settings, check });
  return check;
}

function checkPresent(pod: PodObject, settings: SidecarSettings): SidecarCheck | undefined {
  const places = reservedPlaces(pod);
  if (places.length === 0) return undefined;
  const misplaced = misplacedIn(places);
  if (misplaced !== undefined) return misplaced;
  const revision = settings.revisions.find((each) => differenceFrom(pod, each) === undefined);
  if (revision !== undefined) return { state: 'ok', revision };
  return altered(settings, differenceFrom(pod, closest(pod, settings)));
}

const missing: SidecarCheck = {
  state: 'missing',
  field: undefined,
  reason:
    `it has no sidecar ${sidecarName}: the mutating webhook puts it in when the pod is created, so create the pod again, and if that` +
    ' does not help see whether the webhook runs and its configuration covers this namespace',
};

/** The container must be an init container, once, and the first: those before it would run without it. */
function misplacedIn(places: readonly ReservedPlace[]): SidecarCheck | undefined {
  const wrong =
    places.find(({ list }) => list !== 'initContainers' && list !== 'volumes') ??
    places.find(({ list, index }) => list === 'initContainers' && index > 0) ??
    (places[0]?.list === 'volumes' ? places[0] : undefined);
  if (wrong === undefined) return undefined;
  const field = placeField(wrong);
  const problem =
    wrong.list === 'initContainers'
      ? 'is not the first init container: what starts before it would run without its protection; let nothing insert others before it'
      : `has the name ${wrong.name}, which is kept for the sidecar: rename it`;
  return { state: 'altered', field, reason: `${field} ${problem}` };
}

/** Undefined: the sidecar of the pod is of this revision. */
function differenceFrom(pod: PodObject, revision: SidecarRevision): Difference | undefined {
  const spec = specOf(pod);
  const expected = renderSidecar(revision);
  const found = itemsOf(spec, 'initContainers')[0] ?? {};
  const volumes = itemsOf(spec, 'volumes');
  const container = firstDifference(expected.container, withoutAdditions(found, expected.container), [
    'spec',
    'initContainers',
    0,
  ]);
  if (container !== undefined) return container;
  for (const volume of expected.volumes) {
    const difference = volumeDifference(volume, volumes);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** Whoever has the name must be it: twice would be two answers to what the mount is of. */
function volumeDifference(expected: JsonObject, volumes: readonly JsonObject[]): Difference | undefined {
  const name = String(expected['name']);
  const path = ['spec', 'volumes'];
  const bearers = [...volumes.entries()].filter(([, volume]) => volume['name'] === name);
  if (bearers.length === 0) return { path: [...path, name], expected, found: undefined };
  for (const [index, volume] of bearers) {
    const difference = firstDifference(expected, volume, [...path, index]);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** The revision that it seems to be of: differences from another would only confuse. */
function closest(pod: PodObject, { revisions }: SidecarSettings): SidecarRevision {
  const image = itemsOf(specOf(pod), 'initContainers')[0]?.['image'];
  return revisions.find((revision) => revision.image === image) ?? revisions[0];
}

function altered({ revisions }: SidecarSettings, difference: Difference | undefined): SidecarCheck {
  const names = revisions.map(({ name }) => name).join(', ');
  return {
    state: 'altered',
    field: difference === undefined ? undefined : formatPath(difference.path),
    reason:
      `its sidecar is not the one that this mesh injects (${names})` +
      (difference === undefined ? '' : `: ${describeDifference(difference)}`) +
      `; leave ${sidecarName} and its volumes to the mutating webhook, and exclude them from whatever else changes pods`,
  };
}
