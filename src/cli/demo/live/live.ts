// Shows the running mesh until it is stopped: a table that is refreshed in place on a terminal, and elsewhere a line for
// everything new.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { paint } from '../report.ts';
import type { RunningMesh } from '../running-mesh.ts';
import { parseAccess } from './access-log.ts';
import { type Change, Edges } from './edges.ts';
import { Edits } from './edits.ts';
import { readNegotiated } from './negotiated.ts';
import { changeLine, type Negotiated, renderTable } from './table.ts';

const refreshMs = 1000;
const shownChanges = 6;
const clearScreen = '\u001b[2J\u001b[H';
const defaultColumns = 120;
const defaultRows = 40;

/** The part of standard output this needs. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface LiveOptions {
  readonly screen: Screen;
  readonly write: (text: string) => void;
  readonly colors: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class Live {
  readonly #options: Required<LiveOptions>;
  readonly #edges = new Edges();
  readonly #edits = new Edits();
  readonly #changes: string[] = [];
  #negotiated: ReadonlyMap<string, Negotiated> = new Map();
  #pending: Change[] = [];

  constructor(options: LiveOptions) {
    this.#options = { now: () => Date.now(), ...options };
  }

  /** Takes a line of a proxy's access log. */
  onAccess(line: string): void {
    const access = parseAccess(line);
    if (access === undefined) return;
    const change = this.#edges.add(access);
    if (change === undefined) return;
    this.#pending.push(change);
    const { edge, before } = change;
    if (before === undefined) return;
    const reason = this.#edits.reason(access.at);
    const { from, to, request, decision } = edge;
    this.#changes.push(
      `${from} → ${to} ${request}: ${decision} (was: ${before})${reason === undefined ? '' : `, ${reason}`}`,
    );
    if (this.#changes.length > shownChanges) this.#changes.shift();
  }

  /** Runs until the signal aborts. */
  async run(mesh: RunningMesh, signal: AbortSignal): Promise<void> {
    const terminal = this.#options.screen.isTTY === true;
    const policies = join(mesh.manifests, 'policies');
    this.#edits.watch(policies);
    try {
      if (!terminal) this.#options.write(`${introduction(mesh).join('\n')}\n`);
      while (!signal.aborted) {
        this.#negotiated = await readNegotiated(mesh.services);
        if (terminal) this.#draw(mesh);
        else this.#printChanges();
        await sleep(refreshMs, undefined, { signal }).catch(() => {});
      }
    } finally {
      this.#edits.close();
    }
  }

  #printChanges(): void {
    for (const { edge, before } of this.#pending.splice(0)) {
      const negotiated = this.#negotiated.get(`${edge.from} ${edge.to}`);
      this.#options.write(`${changeLine(edge, before, negotiated)}\n`);
    }
  }

  #draw(mesh: RunningMesh): void {
    const { screen, colors, now, write } = this.#options;
    this.#pending = [];
    const head = introduction(mesh);
    const changes = this.#changes.map((change) => paint(colors, 'cyan', change));
    const table = renderTable({
      edges: this.#edges.list(),
      negotiated: this.#negotiated,
      now: now(),
      colors,
      // A terminal that does not know its size says 0.
      columns: screen.columns || defaultColumns,
      rows: (screen.rows || defaultRows) - head.length - changes.length - 3,
    });
    write(`${clearScreen}${[...head, '', ...table, '', ...changes].join('\n')}\n`);
  }
}

/** Where the policies are, and something to try. */
function introduction(mesh: Pick<RunningMesh, 'services' | 'envoy' | 'manifests'>): readonly string[] {
  const policies = join(mesh.manifests, 'policies');
  const file = join(policies, 'ai-engine.yaml');
  return [
    `trellis: ${mesh.services.length} services behind Envoy ${mesh.envoy}, all connections between them post-quantum. Ctrl-C ends it.`,
    `policies, to edit while it runs: ${policies}`,
    'try this in another terminal, and watch gateway → ai-engine; the second line takes it back:',
    `  sed -i.bak 's#/predict#/paused#' ${file}`,
    `  mv ${file}.bak ${file}`,
  ];
}
