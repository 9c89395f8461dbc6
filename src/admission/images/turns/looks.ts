// Looks at images that are under way. Those who ask about an image at the same time, as the same one to the registry, share one:
// each thing is fetched once, each signature checked once. It ends when the last of them has left.

import type { RegistryClient } from '../../../registry/client.ts';
import type { Repository } from '../../../registry/reference.ts';
import {
  type Examination,
  type ExaminationOptions,
  examineImage,
} from '../../../signing/verify/examination.ts';
import type { VerificationLimits } from '../../../signing/verify/limits.ts';
import { oneLook } from '../../../signing/verify/one-look.ts';
import type { Question } from '../../../signing/verify/question.ts';
import type { Asker } from './asker.ts';
import type { Gate, Turn } from './gate.ts';

/** Whose look is good enough: one that others began, one that began after the question, or one that stops where this question says. */
export type Company = 'any' | 'fresh' | 'alone';

export interface Wanted {
  readonly question: Question;
  /** Where the image is. */
  readonly repository: Repository;
  /** Of the policy: those with an equal one share the examination. */
  readonly fingerprint: string;
  readonly isEnough: ExaminationOptions['isEnough'];
}

export interface Look {
  /** @throws as examineImage */
  readonly examination: Promise<Examination>;
  /** It began after the question was asked: there is nothing newer to find. */
  readonly isFresh: boolean;
  readonly startedAt: Date;
}

/** One question's part in looks. */
export interface Visit {
  look(wanted: Wanted, company: Company): Look;
  /** Nobody asks for this question any more. */
  leave(): void;
}

export interface Looks {
  /**
   * @param scope equal for clients that are the same to registries
   * @param asker whose turn it is to be when a look begins for this question
   */
  visit(client: RegistryClient, scope: string, asker: Asker): Visit;
  underWay(): number;
}

interface SharedLook {
  readonly number: number;
  readonly startedAt: Date;
  readonly client: RegistryClient;
  readonly controller: AbortController;
  readonly examinations: Map<string, Turn<Examination>>;
  visitors: number;
}

export interface LooksOptions {
  readonly limits: VerificationLimits;
  readonly gate: Gate;
  readonly now: () => Date;
}

export function createLooks({ limits, gate, now }: LooksOptions): Looks {
  const current = new Map<string, SharedLook>();
  const underWay = new Set<SharedLook>();
  /** Orders questions and looks, which clocks do not. */
  let clock = 0;

  function start(client: RegistryClient): SharedLook {
    clock += 1;
    const controller = new AbortController();
    return {
      ...{ number: clock, startedAt: now(), controller },
      client: oneLook(client, controller.signal),
      examinations: new Map(),
      visitors: 0,
    };
  }

  function examine(shared: SharedLook, { question, repository, isEnough }: Wanted): Turn<Examination> {
    const { client, controller } = shared;
    const { signal } = controller;
    const look = () => examineImage(question, { client, repository, limits, signal, isEnough });
    const turn = gate.turn(repository.registry, look, signal);
    // Who asked may have gone.
    turn.outcome.catch(() => {});
    return turn;
  }

  function examineTogether(shared: SharedLook, wanted: Wanted): Turn<Examination> {
    const { fingerprint } = wanted;
    const known = shared.examinations.get(fingerprint);
    if (known !== undefined) return known;
    const turn = examine(shared, wanted);
    shared.examinations.set(fingerprint, turn);
    return turn;
  }

  return {
    underWay: () => underWay.size,
    visit: (client, scope, asker) => {
      clock += 1;
      const askedAt = clock;
      const joined = new Map<SharedLook, string>();
      const asked: (() => void)[] = [];
      let hasLeft = false;

      function join(key: string, company: Company): SharedLook {
        const found = current.get(key);
        const shared =
          found !== undefined && (company === 'any' || found.number > askedAt) ? found : start(client);
        current.set(key, shared);
        underWay.add(shared);
        if (!joined.has(shared)) shared.visitors += 1;
        joined.set(shared, key);
        return shared;
      }

      return {
        look: (wanted, company) => {
          // Nobody would ever end it.
          if (hasLeft) throw new Error('a look after the visit');
          const { digest, repository } = wanted.question;
          const key = `${scope} ${repository}@${digest}`;
          const shared = join(key, company);
          const turn = company === 'alone' ? examine(shared, wanted) : examineTogether(shared, wanted);
          asked.push(turn.ask(asker));
          return { examination: turn.outcome, isFresh: shared.number > askedAt, startedAt: shared.startedAt };
        },
        leave: () => {
          hasLeft = true;
          for (const withdraw of asked) withdraw();
          for (const [shared, key] of joined) {
            shared.visitors -= 1;
            if (shared.visitors > 0) continue;
            if (current.get(key) === shared) current.delete(key);
            underWay.delete(shared);
            shared.controller.abort(new DOMException('nobody waits for this look any more', 'AbortError'));
          }
          joined.clear();
        },
      };
    },
  };
}
