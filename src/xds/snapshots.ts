// From the mesh to what each connected proxy may see, recomputing and encoding only what a change touches.

import {
  type MeshState,
  type NamespacedName,
  namespacedName,
  type Service,
  type Workload,
} from '../model/mesh.ts';
import { compareText } from '../model/problem.ts';
import { type EffectivePolicy, effectivePolicy } from '../policy/effective.ts';
import { ResourceEncoder } from './encode.ts';
import { createLayer, emptyLayer } from './layer.ts';
import { Memo, same } from './memo.ts';
import type { EncodedResource, Layer, Snapshot, SnapshotSource } from './resources.ts';
import {
  egressKey,
  reachableService,
  routingKey,
  takesPart,
  translateEgress,
  translateService,
  translateWorkload,
} from './translate/mesh.ts';
import type { ReachableService } from './translate/reachability.ts';
import type { EnvoyResource } from './translate/resources.ts';
import type { MeshSettings } from './translate/settings.ts';
import { quantumServiceFor } from './translate/traffic.ts';

interface TranslatedService {
  readonly reachable: ReachableService;
  readonly routing: string;
  readonly resources: readonly EncodedResource[];
}

/** What services see of a workload behind them. */
interface Role {
  readonly workload: Workload;
  readonly isMeshed: boolean;
  readonly isQuarantined: boolean;
}

type Roles = ReadonlyMap<NamespacedName, Role>;

/** The current snapshots of all proxies; `update` replaces the mesh they are made from. */
export class MeshSnapshots {
  readonly #encoder = new ResourceEncoder();
  readonly #listeners = new Set<() => void>();
  readonly #policies = new Memo<NamespacedName, EffectivePolicy>();
  readonly #roles = new Memo<NamespacedName, Role>();
  readonly #allRoles = new Memo<'all', Roles>();
  /** By service. */
  readonly #endpointRoles = new Memo<NamespacedName, readonly (Role | undefined)[]>();
  readonly #services = new Memo<NamespacedName, TranslatedService>();
  readonly #egress = new Memo<string, EncodedResource>();
  readonly #workloads = new Memo<NamespacedName, readonly EncodedResource[]>();
  readonly #own = new Memo<NamespacedName, Layer>();
  readonly #sharedLayer = new Memo<'shared', Layer>();
  readonly #settings: MeshSettings;
  #state: MeshState;
  #translated: readonly TranslatedService[] = [];
  /** The same array for as long as no service changed in what routes say about it. */
  #routing: readonly unknown[] = [];
  #shared: Layer = emptyLayer;

  constructor(state: MeshState, settings: MeshSettings) {
    this.#state = state;
    this.#settings = settings;
    this.#refresh();
  }

  /** Replaces the mesh and tells every subscriber. */
  update(state: MeshState): void {
    this.#state = state;
    this.#refresh();
    for (const listener of [...this.#listeners]) listener();
    // Only after every proxy has asked for its own part is it known what nobody needs any more.
    for (const memo of [this.#egress, this.#workloads, this.#own]) memo.sweep();
  }

  /** What the proxy of one workload may see. A workload that is gone, or not meshed, sees nothing. */
  source(workload: NamespacedName): SnapshotSource {
    return {
      current: () => this.#snapshot(workload),
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  #policy(workload: Workload): EffectivePolicy {
    return this.#policies.get(namespacedName(workload), [this.#state.policies, workload], () =>
      effectivePolicy(this.#state, workload),
    );
  }

  #isMeshed = (workload: Workload): boolean => takesPart(workload, this.#policy(workload));

  /** The same map for as long as no workload and no policy changed: a role that stays is the same object. */
  #currentRoles(): Roles {
    const { workloads, policies } = this.#state;
    const all = this.#allRoles.get('all', [workloads, policies], () => {
      const roles = new Map([...workloads].map(([name, workload]) => [name, this.#role(name, workload)]));
      // All workloads that are left have been asked for just now.
      for (const memo of [this.#policies, this.#roles]) memo.sweep();
      return roles;
    });
    this.#allRoles.sweep();
    return all;
  }

  #role(name: NamespacedName, workload: Workload): Role {
    const { conflicts } = this.#policy(workload);
    const isMeshed = this.#isMeshed(workload);
    const isQuarantined = conflicts.some(({ dimension }) => dimension === 'quarantine');
    return this.#roles.get(name, [workload, isMeshed, isQuarantined], () => ({
      workload,
      isMeshed,
      isQuarantined,
    }));
  }

  #refresh(): void {
    const roles = this.#currentRoles();
    const services = [...this.#state.services].sort(([a], [b]) => compareText(a, b));
    this.#translated = services.map(([name, service]) => {
      // Most changes are of one service: then no other's endpoints are looked at.
      const behind = this.#endpointRoles.get(name, [service, roles], () => endpointRoles(service, roles));
      const dependencies = [service, quantumServiceFor(this.#state, service), ...behind];
      return this.#services.get(name, dependencies, () => this.#translateService(service));
    });
    for (const memo of [this.#endpointRoles, this.#services]) memo.sweep();
    const routing = this.#translated.flatMap(({ routing: key, reachable }) => [
      key,
      reachable.quantumService,
    ]);
    if (!same(routing, this.#routing)) this.#routing = routing;
    const resources = this.#translated.flatMap((service) => service.resources);
    this.#shared = this.#sharedLayer.get('shared', resources, () => createLayer(resources));
    this.#sharedLayer.sweep();
  }

  #translateService(service: Service): TranslatedService {
    const reachable = reachableService(this.#state, service, this.#isMeshed);
    return {
      reachable,
      routing: routingKey(reachable),
      resources: translateService(reachable, this.#settings).map((resource) => this.#encode(resource)),
    };
  }

  #snapshot(name: NamespacedName): Snapshot {
    const workload = this.#state.workloads.get(name);
    if (workload === undefined) return { shared: emptyLayer, own: emptyLayer };
    const policy = this.#policy(workload);
    if (!takesPart(workload, policy)) return { shared: emptyLayer, own: emptyLayer };
    const own = this.#workloads.get(name, [workload, policy], () =>
      translateWorkload(workload, policy, this.#settings).map((resource) => this.#encode(resource)),
    );
    const egress = this.#egress.get(egressKey(workload, policy), [this.#routing], () =>
      this.#encode(
        translateEgress(
          workload,
          this.#translated.map(({ reachable }) => reachable),
          policy,
        ),
      ),
    );
    const resources = [...own, egress];
    return { shared: this.#shared, own: this.#own.get(name, resources, () => createLayer(resources)) };
  }

  #encode(resource: EnvoyResource): EncodedResource {
    return this.#encoder.encode(resource);
  }
}

function endpointRoles(service: Service, roles: Roles): readonly (Role | undefined)[] {
  return service.ports.flatMap(({ endpoints }) =>
    endpoints.map(({ workload }) => (workload === undefined ? undefined : roles.get(workload))),
  );
}
