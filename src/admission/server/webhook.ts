// One webhook: what it takes, for how long, and what it says when there is no judgement.

import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerStatus } from './answer.ts';
import type { Connections } from './connections.ts';
import { Course, type WebhookOutcome } from './course.ts';
import { deadlineOf } from './deadline.ts';
import type { WebhookLimits } from './limits.ts';
import type { Load } from './load.ts';
import { readQuestion } from './question.ts';

/**
 * @param body any JSON
 * @param signal ends with the time that the API server gives, when it has gone, and when somebody who has less needs the room: what is
 * unknown by then must be said to be unknown, and what was judged must be let go of
 * @returns an AdmissionReview
 */
export type Handler = (body: unknown, signal: AbortSignal) => Promise<object>;

export type WebhookName = 'validate' | 'mutate';

export interface WebhookReport {
  readonly finished: (webhook: WebhookName, outcome: WebhookOutcome) => void;
  /** @param reference stands in the answer too */
  readonly failed: (webhook: WebhookName, error: unknown, reference: string) => void;
}

export interface WebhookOptions {
  readonly webhook: WebhookName;
  readonly handler: Handler;
  readonly limits: WebhookLimits;
  readonly load: Load;
  readonly connections: Connections;
  readonly report: WebhookReport;
}

/** Adds `POST /<webhook>`. */
export function registerWebhook(app: FastifyInstance, options: WebhookOptions): void {
  const { webhook } = options;
  const courses = new WeakMap<FastifyRequest, Course>();
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // It is read where what it costs is counted.
    scope.addContentTypeParser('application/json', (_request, _payload, done) => done(null));
    scope.setErrorHandler((error, _request, reply) => answerError(error, reply));
    scope.post(`/${webhook}`, {
      onRequest: async (request, reply) => begin(request, reply, courses, options),
      handler: async (request, reply) => {
        const course = courses.get(request);
        if (course === undefined) throw new Error('a request that was never begun');
        return await answer(request, reply, course, options);
      },
      onResponse: async (request, reply) => {
        const course = courses.get(request);
        course?.answered(outcomeOf(course, reply));
      },
    });
  });
}

function outcomeOf({ outcome }: Course, { statusCode }: FastifyReply): WebhookOutcome {
  if (statusCode === 429) return 'overloaded';
  return statusCode >= 400 && statusCode < 500 ? 'refused' : outcome;
}

async function begin(
  request: FastifyRequest,
  reply: FastifyReply,
  courses: WeakMap<FastifyRequest, Course>,
  { webhook, limits, load, report }: WebhookOptions,
): Promise<FastifyReply | undefined> {
  const length = request.headers['content-length'];
  // API servers always say it; without it nothing is known about what a request will cost.
  if (length === undefined) {
    report.finished(webhook, 'refused');
    return answerStatus(reply.header('connection', 'close'), 411, 'a body with a Content-Length is needed');
  }
  if (Number(length) > limits.maxBodyBytes) {
    report.finished(webhook, 'refused');
    const message = `a request may have ${limits.maxBodyBytes} bytes`;
    return answerStatus(reply.header('connection', 'close'), 413, message);
  }
  const share = load.begin(request.raw.socket.remoteAddress ?? '');
  if (share === undefined) {
    report.finished(webhook, 'overloaded');
    return answerOverloaded(reply, limits);
  }
  const course = new Course(share, {
    bodyMs: limits.bodyMs,
    stalled: () => request.raw.destroy(),
    finished: (outcome) => report.finished(webhook, outcome),
  });
  courses.set(request, course);
  const { raw } = reply;
  raw.once('close', () => {
    if (!raw.writableFinished) course.abandoned();
  });
  return undefined;
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  course: Course,
  options: WebhookOptions,
): Promise<object> {
  const { limits, connections } = options;
  const question = await readQuestion(request.raw, course, limits.maxBytesUnderWayPerAddress);
  switch (question.kind) {
    case 'json': {
      const { timeout } = request.query as { readonly timeout?: unknown };
      course.judge(deadlineOf(timeout), connections.use(request.raw.socket));
      return await judge(question.value, reply, course, options);
    }
    case 'no-json':
      return answerStatus(reply, 400, 'the body is no JSON');
    case 'too-dear':
      return answerStatus(reply, 413, 'it has so many fields that it would take too much memory to judge it');
    case 'overloaded':
      return answerOverloaded(reply, limits);
  }
}

async function judge(
  body: unknown,
  reply: FastifyReply,
  course: Course,
  { webhook, handler, limits, report }: WebhookOptions,
): Promise<object> {
  try {
    const answer = await Promise.race([handler(body, course.signal), course.over]);
    if (answer === 'displaced') return answerOverloaded(reply, limits);
    if (answer === 'late') {
      course.outcome = 'timed-out';
      return answerStatus(reply, 500, 'there was no time to judge this; try again');
    }
    course.outcome = 'answered';
    return answer;
  } catch (error) {
    const reference = randomBytes(4).toString('hex');
    report.failed(webhook, error, reference);
    return answerStatus(
      reply,
      500,
      `this could not be judged because of an error of ours: look for ${reference} in the log of trellis webhook`,
    );
  }
}

/** client-go repeats a POST after 429 when it is told how long to wait, ten times at most and within its time. */
function answerOverloaded(reply: FastifyReply, { retryAfterSeconds }: WebhookLimits): FastifyReply {
  reply.header('retry-after', String(retryAfterSeconds));
  return answerStatus(reply, 429, 'too much to judge at once; it is asked again');
}

/** A body of another type, which fastify refuses, or one that did not come to its end: nobody reads that. */
function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  const status = (error as { readonly statusCode?: unknown }).statusCode;
  if (status === 415) return answerStatus(reply.header('connection', 'close'), 415, 'only application/json');
  return answerStatus(reply, 500, 'internal error');
}
