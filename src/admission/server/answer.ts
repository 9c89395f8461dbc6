import type { FastifyReply } from 'fastify';

/**
 * Anything but a judgement. An API server makes a failure to call of every status but 200, and tells its user why only when that is 500 and
 * the body a Status (meta.k8s.io/v1).
 */
export function answerStatus(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).send({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code });
}
