// The delta protocol of one stream, without its transport: requests and snapshots in, responses out, in the order that
// never lets a proxy route to what it does not have yet ("Eventual consistency considerations" of the xDS protocol).

import { GrpcError, status } from '../grpc/status.ts';
import { Deliveries } from './deliveries.ts';
import type { DiscoveryRequest } from './discovery-request.ts';
import { encodeResponseHead } from './discovery-response.ts';
import { viewVersion } from './map-version.ts';
import type { DeltaHooks, ProxyStatus, TypeStatus } from './proxy-status.ts';
import { type EncodedResource, isTypeUrl, type Snapshot, type TypeUrl, typeUrls } from './resources.ts';
import { Subscription } from './subscription.ts';
import { type Payload, type View, viewOf } from './view.ts';

/** A message to send, in pieces. */
export type Response = readonly Uint8Array[];

/** Secrets before what is warmed with them, clusters before the endpoints in them, both before the listeners and routes that lead there. */
const makeOrder = [
  typeUrls.secret,
  typeUrls.authorization,
  typeUrls.cluster,
  typeUrls.endpoint,
  typeUrls.listener,
  typeUrls.route,
] as const;

/** What leads to clusters, and so waits for them. */
const leading: ReadonlySet<TypeUrl> = new Set([typeUrls.listener, typeUrls.route]);

/**
 * What others lead to, and so is taken away last, in this order: Envoy gives up the endpoints of a removed cluster by itself.
 * Removals of the other types travel with their additions; a listener that takes over an address must come in one response
 * with the end of the old one.
 */
const breakOrder = [typeUrls.cluster, typeUrls.endpoint] as const;
const takenLast: ReadonlySet<TypeUrl> = new Set(breakOrder);

const allTypes: ReadonlySet<TypeUrl> = new Set(makeOrder);

/** What the names that one stream keeps may come to, over all types: seventeen thousand of sixty bytes each. */
export const maxNameBytes = 1024 * 1024;

interface Channel {
  readonly subscription: Subscription;
  readonly deliveries: Deliveries;
}

export class DeltaStream {
  readonly #hooks: DeltaHooks;
  readonly #channels = new Map<TypeUrl, Channel>();
  readonly #served: ReadonlySet<TypeUrl>;
  #snapshot: Snapshot;
  #nonce = 0;

  /** @param served the types that are served here */
  constructor(snapshot: Snapshot, hooks: DeltaHooks = {}, served: ReadonlySet<TypeUrl> = allTypes) {
    this.#snapshot = snapshot;
    this.#hooks = hooks;
    this.#served = served;
    hooks.onOpen?.(this.#status());
  }

  /** What the proxy is to be brought to from now on. */
  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** Takes one request. Throws INVALID_ARGUMENT for a type we do not serve, RESOURCE_EXHAUSTED over the limits. */
  receive(request: DiscoveryRequest): void {
    const { typeUrl } = request;
    if (!isTypeUrl(typeUrl) || !this.#served.has(typeUrl))
      throw new GrpcError(status.invalidArgument, `resources of type "${typeUrl}" are not served here`);
    const channel = this.#channels.get(typeUrl) ?? {
      subscription: new Subscription(typeUrl),
      deliveries: new Deliveries(),
    };
    this.#channels.set(typeUrl, channel);
    // A stale or unknown nonce answers nothing, but the subscriptions that come with it count all the same.
    if (request.nonce !== '') this.#answer(channel, request);
    channel.subscription.apply(request);
    this.#checkNames();
    if (request.unsubscribe.length > 0) {
      channel.deliveries.prune((name) => channel.subscription.isSubscribed(name));
    }
  }

  #checkNames(): void {
    let bytes = 0;
    for (const { subscription } of this.#channels.values()) bytes += subscription.nameBytes;
    if (bytes > maxNameBytes) {
      throw new GrpcError(
        status.resourceExhausted,
        `the names of one stream have more than ${maxNameBytes} bytes`,
      );
    }
  }

  /** The next response that may be sent now; call until there is none. */
  next(): Response | undefined {
    return this.#nextAddition() ?? this.#nextRemoval();
  }

  /** There is something to send that waits for an answer of the proxy. */
  get isHoldingBack(): boolean {
    return [...this.#channels.values()].some((channel) => this.#isOwed(channel));
  }

  /**
   * The proxy has not answered for long: do not wait any longer for the answers that are missing now. Envoy withholds the ACK
   * of clusters while they warm, and a cluster that cannot warm must not keep policies from reaching the proxy.
   */
  stopWaiting(): void {
    for (const { deliveries } of this.#channels.values()) deliveries.stopWaiting();
  }

  #answer({ subscription, deliveries }: Channel, { nonce, error }: DiscoveryRequest): void {
    const { typeUrl } = subscription;
    if (error === undefined) {
      const acked = deliveries.ack(nonce);
      if (acked !== undefined)
        this.#hooks.onAck?.({ typeUrl, nonce, version: acked.version, snapshot: acked.snapshot });
      return;
    }
    const rejected = deliveries.nack(nonce, error);
    if (rejected === undefined) return;
    const names = rejected.items.map(({ name }) => name);
    this.#hooks.onNack?.({ typeUrl, nonce, version: rejected.delivery.version, names, message: error });
  }

  /** Make: whatever adds or changes something, and answers to what was asked for. */
  #nextAddition(): Response | undefined {
    for (const typeUrl of makeOrder) {
      const channel = this.#channels.get(typeUrl);
      if (channel === undefined || !this.#maySend(channel)) continue;
      if (leading.has(typeUrl) && this.#clustersUnderWay()) return undefined;
      const view = viewOf(this.#snapshot, typeUrl);
      const payload =
        channel.deliveries.takeRetry(({ name, resource }) =>
          channel.subscription.isCurrent(name, resource?.version, view),
        ) ?? channel.subscription.takeUpdate(view, !takenLast.has(typeUrl));
      if (payload !== undefined) return this.#respond(channel, payload, view);
    }
    return undefined;
  }

  /** Break: what nothing leads to any more. */
  #nextRemoval(): Response | undefined {
    for (const typeUrl of breakOrder) {
      const channel = this.#channels.get(typeUrl);
      if (channel?.subscription.hasDepartures !== true) continue;
      if (!this.#maySend(channel) || this.#isLedTo(typeUrl)) return undefined;
      const payload = channel.subscription.takeRemovals();
      if (payload !== undefined) return this.#respond(channel, payload, viewOf(this.#snapshot, typeUrl));
    }
    return undefined;
  }

  /** Could the proxy, as far as we know, still use resources of this type that are gone from the snapshot? */
  #isLedTo(typeUrl: TypeUrl): boolean {
    return [typeUrls.listener, typeUrls.route, typeUrls.cluster].some((other) => {
      const channel = this.#channels.get(other);
      return channel !== undefined && other !== typeUrl && this.#isPending(channel);
    });
  }

  /** One response of a type at a time: a slow proxy then gets the newest state next, not every state in between. */
  #maySend({ deliveries }: Channel): boolean {
    return !deliveries.isAwaiting && !deliveries.isFull;
  }

  /** Envoy acknowledges clusters when they are warm: until then nothing may lead to them. */
  #clustersUnderWay(): boolean {
    const clusters = this.#channels.get(typeUrls.cluster);
    if (clusters === undefined || clusters.deliveries.isFull) return false;
    const { subscription, deliveries } = clusters;
    const owed = subscription.owesAdditions(viewOf(this.#snapshot, typeUrls.cluster));
    return owed || deliveries.hasRetries || deliveries.isAwaitingAdditions;
  }

  #isPending(channel: Channel): boolean {
    return channel.deliveries.isAwaiting || this.#isOwed(channel);
  }

  /** There is something to send, and sending it is a matter of time. */
  #isOwed({ subscription, deliveries }: Channel): boolean {
    if (deliveries.isFull) return false;
    const settled = subscription.isSettled(viewOf(this.#snapshot, subscription.typeUrl));
    return !settled || subscription.hasDepartures || deliveries.hasRetries;
  }

  #respond({ subscription, deliveries }: Channel, payload: Payload, view: View): Response {
    const { typeUrl } = subscription;
    const { resources, removed } = payload;
    if (typeUrl === typeUrls.cluster) this.#resendEndpoints(resources);
    this.#nonce += 1;
    const nonce = String(this.#nonce);
    const version = viewVersion(view);
    deliveries.record({ nonce, version, snapshot: this.#snapshot, resources, removed });
    return [encodeResponseHead({ typeUrl, nonce, systemVersion: version, removed }), ...payload.bytes];
  }

  /** A cluster that changes is warmed anew, and Envoy takes only endpoints that come after it for an answer ("Resource warming"). */
  #resendEndpoints(clusters: readonly EncodedResource[]): void {
    const subscription = this.#channels.get(typeUrls.endpoint)?.subscription;
    if (subscription === undefined) return;
    for (const { endpoints } of clusters) if (endpoints !== undefined) subscription.resend(endpoints);
  }

  #status(): ProxyStatus {
    const typeStatus = (channel: Channel): TypeStatus => ({
      typeUrl: channel.subscription.typeUrl,
      wildcard: channel.subscription.wildcard,
      names: channel.subscription.nameCount,
      sent: channel.deliveries.sent,
      acked: channel.deliveries.acked,
      lastRejection: channel.deliveries.lastRejection,
      rejected: new Map(channel.deliveries.rejected),
      inStep: !channel.deliveries.hasUnanswered && !this.#isOwed(channel),
    });
    const channels = this.#channels;
    return {
      get types() {
        return [...channels.values()].map(typeStatus);
      },
    };
  }
}
