// What a request holds from its headers to the end of its answer.

import type { Deadline } from './deadline.ts';
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
  displaced: new DOMException('there is too much to judge at once', 'AbortError'),
  gone: new DOMException('the API server has gone', 'AbortError'),
  late: new DOMException('no time is left to judge in', 'AbortError'),
};

/** Why there is no judgement. */
type Over =
  | 'late'
  /** What it held was needed for somebody who has less. */
  | 'displaced';

export class Course {
  outcome: WebhookOutcome = 'failed';
  readonly share: Share;
  readonly #over = Promise.withResolvers<Over>();
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
    share.onDisplaced(() => this.#displaced());
  }

  /** Resolves when it must be answered without a judgement; often never. */
  get over(): Promise<Over> {
    return this.#over.promise;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The question has come: instead of waiting for it, the time to judge it in runs. */
  judge(deadline: Deadline, leave: () => void): void {
    if (this.#ended) {
      leave();
      return;
    }
    this.#leave = leave;
    this.#after(deadline.judgeMs, () => {
      this.#controller.abort(reasons.late);
      this.#after(deadline.answerMs - deadline.judgeMs, () => this.#over.resolve('late'));
    });
  }

  answered(outcome: WebhookOutcome): void {
    this.#end(outcome, reasons.answered);
  }

  abandoned(): void {
    this.#end('abandoned', reasons.gone);
  }

  /** The end of it comes with its answer. */
  #displaced(): void {
    this.#over.resolve('displaced');
    this.#controller.abort(reasons.displaced);
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
