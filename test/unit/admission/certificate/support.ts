// A cluster that holds one Secret and two webhook configurations, replicas that keep a certificate in it, and time that passes when told.

import { X509Certificate } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type KeeperReport, keepServingCertificate } from '../../../../src/admission/certificate/keep.ts';
import type { PlanStep } from '../../../../src/admission/certificate/plan.ts';
import type { ServingSource } from '../../../../src/admission/certificate/serving-pair.ts';
import type { CertificateTiming } from '../../../../src/admission/certificate/timing.ts';
import type { Clock } from '../../../../src/sources/kubernetes/clock.ts';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { FakeKube } from '../../../support/fake-kube.ts';

export const minute = 60_000;
export const names = ['trellis-webhook.trellis-system.svc'];
const start = new Date('2026-03-01T12:00:00Z');

/** A year in a hundred minutes. */
const timing: CertificateTiming = {
  caLifetimeMs: 100 * minute,
  leafLifetimeMs: 20 * minute,
  propagationMs: 5 * minute,
  urgentMs: minute,
  retireMs: 10 * minute,
  pollMs: minute,
  firstPollMs: minute,
  requestMs: 1_000,
};

type Data = Readonly<Record<string, string | undefined>>;

interface Stored {
  readonly metadata: { readonly resourceVersion: string; readonly labels?: object };
  readonly [field: string]: unknown;
}

const configurations = '/apis/admissionregistration.k8s.io/v1/';
const secrets = '/api/v1/namespaces/trellis-system/secrets';

/** What of an API server is used, with its optimistic locking. */
class FakeCluster extends FakeKube {
  secret: Stored | undefined;
  readonly #bundles = new Map<string, { version: number; bundle: string }>();
  readonly writes: string[] = [];
  /** Called before each request; what it throws is the answer. */
  before: (request: KubeRequest) => unknown = () => {};
  mayCreate = true;
  #version = 10;

  constructor() {
    super();
    for (const kind of ['validating', 'mutating']) {
      this.#bundles.set(`${configurations}${kind}webhookconfigurations/trellis-webhook`, {
        version: 1,
        bundle: '',
      });
    }
    this.setData({});
  }

  /** Base64, as it stands in the Secret. */
  get data(): Data {
    return (this.secret?.['data'] ?? {}) as Data;
  }

  setData(data: Data): void {
    const metadata = { labels: { app: 'trellis' }, resourceVersion: String(++this.#version) };
    this.secret = { metadata, data: JSON.parse(JSON.stringify(data)) };
  }

  /** PEM, one for each configuration. */
  bundles(): string[] {
    return [...this.#bundles.values()].map(({ bundle }) => Buffer.from(bundle, 'base64').toString());
  }

  setBundles(pem: string): void {
    for (const one of this.#bundles.values()) {
      one.bundle = Buffer.from(pem).toString('base64');
      one.version++;
    }
  }

  removeConfiguration(kind: 'validating' | 'mutating'): void {
    this.#bundles.delete(`${configurations}${kind}webhookconfigurations/trellis-webhook`);
  }

  override handle = async (request: KubeRequest): Promise<unknown> => {
    await this.before(request);
    const { method = 'GET', path } = request;
    if (method !== 'GET') this.writes.push(`${method} ${path.split('/').at(-1)}`);
    if (path.startsWith(configurations)) return this.#configuration(request);
    return JSON.parse(JSON.stringify(this.#secret(request)));
  };

  #secret({ method = 'GET', path, body }: KubeRequest): Stored {
    const { metadata, data } = (body ?? {}) as Stored & { data: Data };
    if (method === 'POST' && path === secrets) {
      if (!this.mayCreate) throw new KubernetesError('ERR_KUBE_FORBIDDEN', 'no');
      this.setData(data);
    } else if (this.secret === undefined) {
      throw new KubernetesError('ERR_KUBE_NOT_FOUND', 'none');
    } else if (method === 'PUT') {
      this.#check(metadata.resourceVersion, this.secret.metadata.resourceVersion);
      this.setData(data);
    }
    if (this.secret === undefined) throw new Error('unreachable');
    return this.secret;
  }

  #configuration({ method = 'GET', path, body }: KubeRequest): object {
    const one = this.#bundles.get(path);
    if (one === undefined) throw new KubernetesError('ERR_KUBE_NOT_FOUND', 'none');
    if (method === 'PATCH') {
      const patch = body as {
        metadata: { resourceVersion: string };
        webhooks: { name: string; clientConfig: { caBundle: string } }[];
      };
      this.#check(patch.metadata.resourceVersion, String(one.version));
      one.version++;
      one.bundle = patch.webhooks[0]?.clientConfig.caBundle ?? '';
    }
    const webhooks = [
      { name: 'validate.trellis.quantum.io', clientConfig: { caBundle: one.bundle } },
      { name: 'somebody.else.example', clientConfig: {} },
    ];
    return { metadata: { resourceVersion: String(one.version) }, webhooks };
  }

  #check(has: string, is: string): void {
    if (has !== is) throw new KubernetesError('ERR_KUBE_CONFLICT', 'changed');
  }
}

/** Time that stands still until told; every replica may be wrong about it. */
export class World {
  readonly cluster = new FakeCluster();
  readonly replicas: Replica[] = [];
  #ms = 0;
  readonly #sleepers = new Set<{ readonly untilMs: number; wake(): void }>();

  /** The true time. */
  now(): Date {
    return new Date(start.getTime() + this.#ms);
  }

  clock(offset: () => number): Clock {
    return {
      now: () => new Date(this.now().getTime() + offset()),
      monotonic: () => this.#ms,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          const sleeper = {
            untilMs: this.#ms + ms,
            wake: () => {
              this.#sleepers.delete(sleeper);
              resolve();
            },
          };
          this.#sleepers.add(sleeper);
          signal.addEventListener('abort', sleeper.wake, { once: true });
        }),
    };
  }

  /** Starts one more, which leads when it is the only one. Resolves when it has looked once. */
  async add(options: { readonly leads?: boolean; readonly offsetMs?: number } = {}): Promise<Replica> {
    const replica = new Replica(this, options);
    this.replicas.push(replica);
    await this.rest();
    return replica;
  }

  /** Lets minutes pass, one after the other, and calls after each. */
  async pass(minutes: number, look: () => void = () => {}): Promise<void> {
    for (let i = 0; i < minutes; i++) {
      this.#ms += minute;
      // One after the other, as replicas do not look at the same moment.
      for (const sleeper of [...this.#sleepers]) {
        if (sleeper.untilMs > this.#ms) continue;
        sleeper.wake();
        await this.rest();
      }
      look();
    }
  }

  /** Until all sleep. */
  async rest(): Promise<void> {
    const running = (): number => this.replicas.filter(({ isRunning }) => isRunning).length;
    while (this.#sleepers.size < running()) await setImmediate();
  }
}

export class Replica {
  leads: boolean;
  offsetMs: number;
  isRunning = true;
  source: ServingSource | undefined;
  readonly steps: PlanStep[] = [];
  readonly said: string[] = [];
  readonly expiries = new Map<string, Date>();
  #leaf: { readonly pem: string; readonly leaf: X509Certificate } | undefined;
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;

  constructor(
    world: World,
    { leads = true, offsetMs = 0 }: { readonly leads?: boolean; readonly offsetMs?: number },
  ) {
    this.leads = leads;
    this.offsetMs = offsetMs;
    const report: KeeperReport = {
      step: (step) => this.steps.push(step),
      trusted: (path) => this.said.push(`trusted ${path.split('/').at(-2)}`),
      failed: (error) => this.said.push((error as { code?: string }).code ?? String(error)),
      recovered: () => this.said.push('recovered'),
      expiry: (certificate, notAfter) => this.expiries.set(certificate, notAfter),
    };
    const keeper = keepServingCertificate({
      ...{ client: world.cluster, namespace: 'trellis-system', names, timing, report },
      ...{ secret: 'trellis-webhook-certificate', configuration: 'trellis-webhook' },
      isLeader: () => this.leads,
      signal: this.#controller.signal,
      clock: world.clock(() => this.offsetMs),
      // A look every minute, exactly.
      random: () => 0.5,
    });
    keeper.ready.then(
      (source) => {
        this.source = source;
      },
      () => {},
    );
    this.#ended = keeper.ended;
    onEnd(() => this.stop());
  }

  get leaf(): X509Certificate {
    if (this.source === undefined) throw new Error('nothing is served');
    const { certificate } = this.source.current();
    if (this.#leaf?.pem !== certificate)
      this.#leaf = { pem: certificate, leaf: new X509Certificate(certificate) };
    return this.#leaf.leaf;
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    this.#controller.abort(new Error('the end'));
    await this.#ended;
  }
}

/** The certificates of a PEM text. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** As an API server decides, by OpenSSL rather than by us. */
export function isAccepted(leaf: X509Certificate, bundle: string, at: Date): boolean {
  const isValid = (one: X509Certificate): boolean => at >= one.validFromDate && at <= one.validToDate;
  const issuer = issuerOf(leaf, bundle);
  return issuer !== undefined && isValid(issuer) && isValid(leaf);
}

/** Looked for once, as tests ask every minute. */
const issuers = new Map<string, X509Certificate | undefined>();

function issuerOf(leaf: X509Certificate, bundle: string): X509Certificate | undefined {
  const key = `${leaf.fingerprint256} ${bundle}`;
  if (!issuers.has(key)) {
    const isNamed = names.every((name) => leaf.checkHost(name, { subject: 'never' }) !== undefined);
    const vouches = (ca: X509Certificate): boolean =>
      ca.ca && leaf.checkIssued(ca) && leaf.verify(ca.publicKey);
    issuers.set(key, isNamed ? certificatesOf(bundle).find(vouches) : undefined);
  }
  return issuers.get(key);
}
