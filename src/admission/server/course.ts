// What a request holds from its headers to the end of its answer.

import type { Share } from './load.ts';

export type WebhookOutcome =
  | 'answered'
  /** The body is too long, or no JSON. */
  | 'refused'
  /** Too much under way. */
  | 'overloaded'
  | 'timed-out'
  /** A defect. */
  | 'failed'
  /** The API server has gone. */
  | 'abandoned';

/** Made once: each would cost more than all else that a request ends with. */
const reasons = {
  answered: new DOMException('answered', 'AbortError'),
  gone: new DOMException('the API server has gone', 'AbortError'),
  late: new DOMException('no time is left to judge in', 'AbortError'),
};

export class Course {
  outcome: WebhookOutcome = 'failed';
  readonly share: Share;
  readonly #controller = new AbortController();
  readonly #finished: (outcome: WebhookOutcome) => void;
  #timer: NodeJS.Timeout;
  #leave: () => void = () => {};
  #ended = false;

  constructor(
    share: Share,
    {
      bodyMs,
      stalled,
      finished,
    }: {
      readonly bodyMs: number;
      readonly stalled: () => void;
      readonly finished: (outcome: WebhookOutcome) => void;
    },
  ) {
    this.share = share;
    this.#finished = finished;
    this.#timer = setTimeout(stalled, bodyMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The question has come: instead of waiting for it, the time to judge it in runs. @param late it is over, and there is no answer */
  judge(
    deadline: { readonly judgeMs: number; readonly answerMs: number },
    leave: () => void,
    late: () => void,
  ): void {
    if (this.#ended) {
      leave();
      return;
    }
    this.#leave = leave;
    this.#after(deadline.judgeMs, () => {
      this.#controller.abort(reasons.late);
      this.#after(deadline.answerMs - deadline.judgeMs, late);
    });
  }

  answered(outcome: WebhookOutcome): void {
    this.#end(outcome, reasons.answered);
  }

  abandoned(): void {
    this.#end('abandoned', reasons.gone);
  }

  #after(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }

  /** Whatever ends it first counts. */
  #end(outcome: WebhookOutcome, reason: DOMException): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.share.end();
    this.#leave();
    this.#controller.abort(reason);
    this.#finished(outcome);
  }
}
