// From the mesh to what each connected proxy may see, recomputing and encoding only what a change touches.

import { type MeshState, type NamespacedName, namespacedName, type Workload } from '../model/mesh.ts';
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

/** The current snapshots of all proxies; `update` replaces the mesh they are made from. */
export class MeshSnapshots {
  readonly #encoder = new ResourceEncoder();
  readonly #listeners = new Set<() => void>();
  readonly #policies = new Memo<NamespacedName, EffectivePolicy>();
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
    for (const memo of [this.#policies, this.#services, this.#egress, this.#workloads, this.#own])
      memo.sweep();
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

  #isQuarantined(workload: Workload): boolean {
    return this.#policy(workload).conflicts.some(({ dimension }) => dimension === 'quarantine');
  }

  #refresh(): void {
    const services = [...this.#state.services.values()].sort((a, b) =>
      compareText(namespacedName(a), namespacedName(b)),
    );
    this.#translated = services.map((service) => {
      const workloads = service.ports.flatMap((port) =>
        port.endpoints.map(({ workload }) =>
          workload === undefined ? undefined : this.#state.workloads.get(workload),
        ),
      );
      const roles = workloads.flatMap((workload) =>
        workload === undefined ? [] : [this.#isMeshed(workload), this.#isQuarantined(workload)],
      );
      const dependencies = [service, quantumServiceFor(this.#state, service), ...workloads, ...roles];
      return this.#services.get(namespacedName(service), dependencies, () => {
        const reachable = reachableService(this.#state, service, this.#isMeshed);
        return {
          reachable,
          routing: routingKey(reachable),
          resources: translateService(reachable, this.#settings).map((resource) => this.#encode(resource)),
        };
      });
    });
    const routing = this.#translated.flatMap(({ routing: key, reachable }) => [
      key,
      reachable.quantumService,
    ]);
    if (!same(routing, this.#routing)) this.#routing = routing;
    const resources = this.#translated.flatMap((service) => service.resources);
    this.#shared = this.#sharedLayer.get('shared', resources, () => createLayer(resources));
    this.#sharedLayer.sweep();
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
