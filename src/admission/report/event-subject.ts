// Which object an Event is about: people look at what they wrote, and at what exists.

import { isRecord, ownField } from '../../model/manifest.ts';
import type { AdmissionRequest } from '../review/request.ts';

/** ObjectReference of core/v1, as far as Events need it. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Names and kinds are DNS labels and subdomains, versions a group and a version: RFC 1123 ends at 253. */
const maxNameLength = 253;

/**
 * What is updated is there to be looked at. What is created may never exist: then it is the controller that wants it, which goes
 * on trying. Without one, what is let in will exist, and whoever is refused was told so.
 *
 * An owner is its author's word, which the API server does not check. It is looked for in the object's own namespace, so that a
 * forged one can mislead nobody but that namespace. Of kinds without a namespace only nodes own pods (static ones), and
 * Events about nodes are kept elsewhere: no author of a pod gets to write there.
 * @param allowed whether the object is let in
 */
export function eventSubject(request: AdmissionRequest, allowed: boolean): EventSubject | undefined {
  if (request.oldObject !== undefined) return self(request, request.oldObject);
  return owner(request) ?? (allowed ? self(request, request.object) : undefined);
}

function self({ kind, namespace }: AdmissionRequest, object: object): EventSubject | undefined {
  const { group, version } = kind;
  return subject({
    ...record(ownField(object, 'metadata')),
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind: kind.kind,
    namespace,
  });
}

function owner({ object, namespace }: AdmissionRequest): EventSubject | undefined {
  const owners = ownField(ownField(object, 'metadata'), 'ownerReferences');
  if (!Array.isArray(owners)) return undefined;
  // The API server sees to it that there is no more than one.
  const controller = owners.find((each: unknown) => ownField(each, 'controller') === true);
  const found = subject({ ...record(controller), namespace });
  return found?.apiVersion === 'v1' && found.kind === 'Node' ? undefined : found;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function subject(fields: Readonly<Record<string, unknown>>): EventSubject | undefined {
  const [apiVersion, kind, namespace, name, uid] = ['apiVersion', 'kind', 'namespace', 'name', 'uid'].map(
    (field) => {
      const value = ownField(fields, field);
      return typeof value === 'string' && value !== '' && value.length <= maxNameLength ? value : undefined;
    },
  );
  if (apiVersion === undefined || kind === undefined || namespace === undefined) return undefined;
  if (name === undefined || uid === undefined) return undefined;
  return { apiVersion, kind, namespace, name, uid };
}
