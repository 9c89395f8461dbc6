// Who waits, in turn: among tenants, among the requests of one, among the registries of one request, each a step at a time. However
// many one of them brings, the others come as often.

export interface Place {
  readonly tenant: string;
  readonly request: string;
  readonly registry: string;
}

/** Whose slots are used up. */
export interface Full {
  tenant(place: Pick<Place, 'tenant'>): boolean;
  request(place: Pick<Place, 'tenant' | 'request'>): boolean;
  registry(place: Place): boolean;
}

type Registries<T> = Map<string, Set<T>>;
type Requests<T> = Map<string, Registries<T>>;

export class Line<T> {
  /** The next one first, on each level. */
  readonly #tenants = new Map<string, Requests<T>>();

  add({ tenant, request, registry }: Place, waiting: T): void {
    const requests = this.#tenants.get(tenant) ?? new Map<string, Registries<T>>();
    const registries = requests.get(request) ?? new Map<string, Set<T>>();
    const all = registries.get(registry) ?? new Set<T>();
    this.#tenants.set(tenant, requests);
    requests.set(request, registries);
    registries.set(registry, all);
    all.add(waiting);
  }

  remove({ tenant, request, registry }: Place, waiting: T): void {
    const requests = this.#tenants.get(tenant);
    const registries = requests?.get(request);
    const all = registries?.get(registry);
    all?.delete(waiting);
    if (all?.size === 0) registries?.delete(registry);
    if (registries?.size === 0) requests?.delete(request);
    if (requests?.size === 0) this.#tenants.delete(tenant);
  }

  /** Whose turn it is; it stays in line. Looks at each request once, and not at each that waits. */
  next(full: Full): T | undefined {
    for (const [tenant, requests] of this.#tenants) {
      if (full.tenant({ tenant })) continue;
      for (const [request, registries] of requests) {
        if (full.request({ tenant, request })) continue;
        for (const [registry, all] of registries) {
          if (full.registry({ tenant, request, registry })) continue;
          const [first] = all;
          return first;
        }
      }
    }
    return undefined;
  }

  /** It has had its turn: the others come first. */
  passed({ tenant, request, registry }: Place): void {
    const requests = toEnd(this.#tenants, tenant);
    const registries = requests && toEnd(requests, request);
    if (registries !== undefined) toEnd(registries, registry);
  }
}

function toEnd<V>(map: Map<string, V>, key: string): V | undefined {
  const value = map.get(key);
  if (value === undefined) return undefined;
  map.delete(key);
  map.set(key, value);
  return value;
}
