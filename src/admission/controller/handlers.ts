// What is done with a question of the API server, from its bytes to the answer: read, decided, counted, recorded.

import { componentLogger, type Logger } from '../../telemetry/logger.ts';
import type { AdmissionContext } from '../context.ts';
import type { AdmissionDecision } from '../decision.ts';
import { AdmissionError } from '../errors.ts';
import { judgeRequest } from '../judge-request.ts';
import type { JsonPatch } from '../mutate/json-patch.ts';
import { mutate } from '../mutate/mutate.ts';
import {
  type AdmissionMetrics,
  recordDecision,
  recordExempt,
  recordFailure,
  recordMutation,
} from '../report/admission-metrics.ts';
import type { EventRecorder } from '../report/events.ts';
import { parseReview } from '../review/parse-review.ts';
import type { AdmissionRequest } from '../review/request.ts';
import { decisionReview, exemptReview, failedReview, patchReview } from '../review/write-review.ts';
import type { Handler, WebhookName } from '../server/webhook.ts';

export interface HandlerOptions {
  /** Of the moment. @throws AdmissionError while the policies are not known */
  readonly context: () => AdmissionContext;
  /**
   * The API server does not ask about them. Whoever does is told what it would have done, and can have nothing looked up with their
   * Secrets, or written there.
   */
  readonly exemptNamespaces: ReadonlySet<string>;
  readonly events: EventRecorder;
  readonly metrics: AdmissionMetrics;
  readonly log: Logger;
  /** Runs what nobody waits for once the answer is on its way: `setImmediate` unless given. */
  readonly afterwards?: (work: () => void) => unknown;
}

export function createHandlers(options: HandlerOptions): {
  readonly validate: Handler;
  readonly mutate: Handler;
} {
  const log = componentLogger(options.log, 'admission');
  const { afterwards: schedule = setImmediate } = options;
  const afterwards = (work: () => void): unknown => schedule(() => guarded(log, work));
  return {
    validate: async (body, signal) =>
      await answer('validate', body, { ...options, log }, async (request, seconds) => {
        const decision = await judgeRequest(request, options.context(), signal);
        const took = seconds();
        afterwards(() => {
          recordDecision(options.metrics, request, decision, took);
          say(log, request, decision);
          options.events.record(request, decision);
        });
        return decisionReview(request.uid, decision);
      }),
    mutate: async (body, signal) =>
      await answer('mutate', body, { ...options, log }, async (request, seconds) => {
        const patch: JsonPatch = await mutate(request, options.context(), signal);
        const took = seconds();
        afterwards(() => recordMutation(options.metrics, request, patch.length > 0, took));
        return patchReview(request.uid, patch);
      }),
  };
}

/** The answer is given: a defect in what records it must not end the process, and all other answers with it. */
function guarded(log: Logger, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.error({ err: error }, 'what was answered could not be recorded');
  }
}

/** What cannot be judged is answered with a refusal that says why; a defect is left to the server, and logged by it. */
async function answer(
  webhook: WebhookName,
  body: unknown,
  { exemptNamespaces, metrics, log }: HandlerOptions,
  respond: (request: AdmissionRequest, seconds: () => number) => Promise<object>,
): Promise<object> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1_000;
  let request: AdmissionRequest | undefined;
  try {
    request = parseReview(body);
    if (exemptNamespaces.has(request.namespace)) {
      recordExempt(metrics, webhook, request, seconds());
      return exemptReview(request.uid);
    }
    return await respond(request, seconds);
  } catch (error) {
    recordFailure(metrics, webhook, request, seconds());
    if (!(error instanceof AdmissionError)) throw error;
    log.warn({ webhook, code: error.code, ...(request && subjectOf(request)) }, error.message);
    return failedReview(request?.uid ?? uidIn(body), error);
  }
}

/** Of a review that could not be read otherwise: the API server takes no answer without it. */
function uidIn(body: unknown): string {
  const uid = (body as { readonly request?: { readonly uid?: unknown } } | null)?.request?.uid;
  return typeof uid === 'string' ? uid : '';
}

/** One line for everything that somebody may want to look into; what is in order is counted, and no more. */
function say(log: Logger, request: AdmissionRequest, { allowed, findings, images }: AdmissionDecision): void {
  if (findings.length === 0) return;
  const detail = {
    ...subjectOf(request),
    findings: findings.map(({ code, enforcement, policy, field, message }) => ({
      ...{ code, enforcement, policy, field, message },
    })),
    images: images.map(({ image, decision, digest }) => ({ image, decision, digest })),
  };
  log[allowed ? 'info' : 'warn'](detail, allowed ? 'allowed, with findings' : 'denied');
}

function subjectOf({ operation, kind, subResource, namespace, name, dryRun }: AdmissionRequest) {
  return { operation, kind: kind.kind, subResource, namespace, name, dryRun };
}
