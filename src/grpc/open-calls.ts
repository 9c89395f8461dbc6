// The calls under way: whom a closing server has to tell, and who has to watch the time.

import type { GrpcError } from './status.ts';

/** A unary call that is still open after this gets timers of its own; one timer looks for all that are younger. */
export const briefMs = 20;

export interface OpenCall {
  /** Its place among the brief calls; undefined when it is none. Written here alone. */
  place: number | undefined;
  /** From here on the call watches its time. */
  startTimers(): void;
  end(error: GrpcError): void;
}

export class OpenCalls {
  readonly #endless = new Set<OpenCall>();
  readonly #others = new Set<OpenCall>();
  /** Calls without timers, in no order. Not a set: one that is filled and emptied all the time makes tables all the time. */
  readonly #brief: OpenCall[] = [];
  #sweep: NodeJS.Timeout | undefined;

  /** A call that is expected to be answered at once. */
  addBrief(call: OpenCall): void {
    call.place = this.#brief.push(call) - 1;
    this.#sweep ??= setTimeout(() => this.#startTimers(), briefMs).unref();
  }

  /** A call that takes its time. `endless`: a closing server does not wait for it. */
  add(call: OpenCall, endless: boolean): void {
    call.startTimers();
    (endless ? this.#endless : this.#others).add(call);
  }

  delete(call: OpenCall): void {
    if (call.place !== undefined) this.#deleteBrief(call, call.place);
    else if (!this.#others.delete(call)) this.#endless.delete(call);
  }

  endEndless(error: GrpcError): void {
    for (const call of this.#endless) call.end(error);
  }

  endAll(error: GrpcError): void {
    for (const call of [...this.#endless, ...this.#others, ...this.#brief]) call.end(error);
  }

  /** The last one takes its place. */
  #deleteBrief(call: OpenCall, place: number): void {
    call.place = undefined;
    const last = this.#brief.pop();
    if (last === undefined || last === call) return;
    this.#brief[place] = last;
    last.place = place;
  }

  #startTimers(): void {
    this.#sweep = undefined;
    for (const call of this.#brief.splice(0)) {
      call.place = undefined;
      this.add(call, false);
    }
  }
}
