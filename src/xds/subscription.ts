// What one proxy wants and has of one resource type. It remembers the sets of resources the proxy was brought up to, which
// all proxies share, and by name only what differs from them: a proxy in step costs no memory per resource.

import { GrpcError, status } from '../grpc/status.ts';
import type { DiscoveryRequest } from './discovery-request.ts';
import { diffResources, type ResourceDiff } from './layer-diff.ts';
import { NameSet } from './name-set.ts';
import { type EncodedResource, type TypeUrl, typeUrls } from './resources.ts';
import { emptyView, lookup, type Payload, type View } from './view.ts';

/** Names one proxy may subscribe to of one type: each costs memory for as long as the stream lives. */
export const maxSubscribedNames = 20_000;

/** A response may be larger by one resource. Under gRPC's default limit of 4 MiB, and small enough that slow proxies hold no memory for long. */
export const maxResponseBytes = 1024 * 1024;

/** The version of a resource that the client has; or that it knows that there is none; or that it was never told. */
type Known = string | typeof absent | typeof untold;
const absent = null;
const untold = undefined;

export class Subscription {
  readonly typeUrl: TypeUrl;
  #started = false;
  #wildcard = false;
  #names = NameSet.empty;
  /** The client was told nothing yet about any of its names, except what it said it has. */
  #fresh = true;
  /** A first wildcard request is answered even when there is nothing: the client waits for it. */
  #answerDue = false;
  /** What the client has, except for the names in the two maps below. */
  #base: View = emptyView;
  #exceptions = new Map<string, Known>();
  /** Resources that are gone from the base and that the client still has: name → version. */
  #departed = new Map<string, string>();

  constructor(typeUrl: TypeUrl) {
    this.typeUrl = typeUrl;
  }

  get wildcard(): boolean {
    return this.#wildcard;
  }

  /** Names subscribed to one by one. */
  get nameCount(): number {
    return this.#names.size;
  }

  /** Memory that the names cost which the client chose, subscribed to or not, and the versions it says it has. */
  get nameBytes(): number {
    let bytes = this.#names.bytes;
    for (const [name, known] of this.#exceptions)
      bytes += Buffer.byteLength(name) + Buffer.byteLength(known ?? '');
    return bytes;
  }

  isSubscribed(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  /** Nothing to send, or to note as gone, to bring the client to this view. */
  isSettled(view: View): boolean {
    if (
      this.owesAdditions(view) ||
      this.#differs(view, ({ removed }) => removed.some((name) => this.isSubscribed(name)))
    ) {
      return false;
    }
    // Other objects with the same content, as far as this client is concerned.
    this.#base = view;
    return true;
  }

  /** There is something to send to bring the client to this view, removals apart. */
  owesAdditions(view: View): boolean {
    if (this.#answerDue || this.#exceptions.size > 0 || (this.#fresh && this.#names.size > 0)) return true;
    return this.#differs(view, ({ changed }) => changed.some(({ name }) => this.isSubscribed(name)));
  }

  /** Resources wait to be taken from the client. */
  get hasDepartures(): boolean {
    return this.#departed.size > 0;
  }

  /** Applies the subscription part of a request. */
  apply(request: DiscoveryRequest): void {
    const first = !this.#started;
    this.#started = true;
    if (first && request.subscribe.length === 0 && legacyWildcard.has(this.typeUrl)) this.#subscribeAll();
    if (request.subscribe.includes('*')) this.#subscribeAll();
    this.#subscribe(withoutWildcard(request.subscribe));
    this.#unsubscribe(withoutWildcard(request.unsubscribe));
    if (request.unsubscribe.includes('*')) this.#unsubscribeAll();
    if (first) this.#resume(request.initialVersions);
  }

  /**
   * What to send next to bring the client to `view`, and counts it as sent; undefined when there is nothing. What the client
   * must lose is only noted, unless `withRemovals`; names it asked for and that do not exist are always answered.
   */
  takeUpdate(view: View, withRemovals: boolean): Payload | undefined {
    if (this.isSettled(view)) return undefined;
    const payload = this.#takeShared(view) ?? this.#takeFirst(view) ?? this.#takeEach(view, withRemovals);
    this.#fresh = false;
    const answer = this.#answerDue || payload.resources.length > 0 || payload.removed.length > 0;
    this.#answerDue = false;
    return answer ? payload : undefined;
  }

  /** The removals that were noted, counted as sent. */
  takeRemovals(): Payload | undefined {
    if (this.#departed.size === 0) return undefined;
    const removed = [...this.#departed.keys()];
    this.#departed.clear();
    return { resources: [], removed, bytes: [] };
  }

  /** Sends this name again, if the client wants it, although it has it. */
  resend(name: string): void {
    if (this.isSubscribed(name)) this.#forget(name);
  }

  /** Is this what the client was told last of this name (`undefined`: that it is gone), and is it still true? */
  isCurrent(name: string, version: string | undefined, view: View): boolean {
    const told = this.isSubscribed(name) && this.#known(name) === (version ?? absent);
    return told && lookup(view, name)?.version === version;
  }

  /** The common step: everybody's resources changed, and this client takes all of them. One buffer for all clients. */
  #takeShared(view: View): Payload | undefined {
    if (!this.#wildcard || this.#exceptions.size > 0 || this.#departed.size > 0) return undefined;
    if (this.#fresh && this.#names.size > 0) return undefined;
    const shared = diffResources(this.#base.shared, view.shared);
    const own = diffResources(this.#base.own, view.own);
    if (shared.removed.length > 0 || own.removed.length > 0) return undefined;
    if (shared.bytes.length + own.bytes.length > maxResponseBytes) return undefined;
    this.#base = view;
    const resources = own.changed.length === 0 ? shared.changed : [...shared.changed, ...own.changed];
    return { resources, removed: [], bytes: [shared.bytes, own.bytes].filter(({ length }) => length > 0) };
  }

  /** The other common step: the first response to a client that subscribes by name. */
  #takeFirst(view: View): Payload | undefined {
    if (this.#wildcard || !this.#fresh || this.#exceptions.size > 0) return undefined;
    const { resources, others, bytes } = this.#names.select(view.shared);
    if (bytes.length > maxResponseBytes) return undefined;
    const own = others.flatMap((name) => view.own.get(name) ?? []);
    const removed = others.filter((name) => !view.own.has(name));
    this.#base = view;
    return {
      resources: own.length === 0 ? resources : [...resources, ...own],
      removed,
      bytes: [bytes, ...own.map((resource) => resource.bytes)].filter(({ length }) => length > 0),
    };
  }

  #takeEach(view: View, withRemovals: boolean): Payload {
    const resources: EncodedResource[] = [];
    const removed: string[] = [];
    const later = new Map<string, Known>();
    const departed = new Map<string, string>();
    let size = 0;
    for (const [name, known] of this.#candidates(view)) {
      if (!this.isSubscribed(name)) continue;
      const target = lookup(view, name);
      if (target === undefined) {
        if (known === absent) continue;
        if (known === untold || withRemovals) removed.push(name);
        else departed.set(name, known);
      } else if (target.version !== known) {
        if (size >= maxResponseBytes) {
          later.set(name, known);
        } else {
          resources.push(target);
          size += target.bytes.length;
        }
      }
    }
    this.#base = view;
    this.#exceptions = later;
    this.#departed = departed;
    return { resources, removed, bytes: resources.map(({ bytes }) => bytes) };
  }

  /** Every name whose state may differ between client and view, and what the client knows of it. */
  *#candidates(view: View): Generator<readonly [name: string, known: Known]> {
    yield* this.#exceptions;
    yield* this.#departed;
    const shared = diffResources(this.#base.shared, view.shared);
    const own = diffResources(this.#base.own, view.own);
    const names = new Set([...namesIn(shared), ...namesIn(own), ...(this.#fresh ? this.#names : [])]);
    for (const name of names) {
      if (!this.#exceptions.has(name) && !this.#departed.has(name)) yield [name, this.#known(name)];
    }
  }

  #differs(view: View, inThis: (diff: ResourceDiff) => boolean): boolean {
    return (
      inThis(diffResources(this.#base.shared, view.shared)) || inThis(diffResources(this.#base.own, view.own))
    );
  }

  #known(name: string): Known {
    if (this.#exceptions.has(name)) return this.#exceptions.get(name);
    if (this.#fresh && this.#names.has(name)) return untold;
    return this.#departed.get(name) ?? lookup(this.#base, name)?.version ?? absent;
  }

  /** Also names it has already are sent again: the client may have dropped them and changed its mind. */
  #subscribe(names: readonly string[]): void {
    this.#names = this.#names.with(names);
    if (this.#names.size > maxSubscribedNames) throw tooMany(this.typeUrl);
    if (!this.#fresh) for (const name of names) this.#forget(name);
  }

  #unsubscribe(names: readonly string[]): void {
    this.#names = this.#names.without(names);
    for (const name of names) {
      this.#exceptions.delete(name);
      this.#departed.delete(name);
      // The client dropped it, and cannot know whether "all" includes it: tell it.
      if (this.#wildcard) this.#forget(name);
    }
  }

  #subscribeAll(): void {
    const kept = new Map<string, Known>();
    for (const name of this.#names) kept.set(name, this.#known(name));
    this.#wildcard = true;
    this.#answerDue = true;
    this.#base = emptyView;
    this.#departed.clear();
    this.#exceptions = kept;
  }

  #unsubscribeAll(): void {
    this.#wildcard = false;
    this.#answerDue = false;
    for (const map of [this.#exceptions, this.#departed]) {
      for (const name of map.keys()) if (!this.#names.has(name)) map.delete(name);
    }
  }

  #forget(name: string): void {
    this.#exceptions.set(name, untold);
    this.#departed.delete(name);
    if (this.#exceptions.size > maxSubscribedNames) throw tooMany(this.typeUrl);
  }

  /** The client comes back from another stream, and says what it still has. */
  #resume(versions: ReadonlyMap<string, string>): void {
    for (const [name, version] of versions) {
      if (version !== '' && this.isSubscribed(name)) this.#exceptions.set(name, version);
    }
    if (versions.size > 0) this.#answerDue = false;
  }
}

/** Only these two types had an implicit wildcard before "*" was introduced. */
const legacyWildcard: ReadonlySet<TypeUrl> = new Set([typeUrls.listener, typeUrls.cluster]);

/** The same list where it names no wildcard: equal lists are recognised by being the same. */
function withoutWildcard(names: readonly string[]): readonly string[] {
  return names.includes('*') ? names.filter((name) => name !== '*') : names;
}

function tooMany(typeUrl: TypeUrl): GrpcError {
  return new GrpcError(
    status.resourceExhausted,
    `more than ${maxSubscribedNames} names of ${typeUrl} in one stream`,
  );
}

function namesIn({ changed, removed }: ResourceDiff): readonly string[] {
  return [...changed.map(({ name }) => name), ...removed];
}
