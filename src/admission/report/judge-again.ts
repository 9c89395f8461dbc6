// The judge of running pods.

import type { AdmissionContext } from '../context.ts';
import { judgeRequest } from '../judge-request.ts';
import type { Judge } from './recheck-namespace.ts';

/** @param context of the moment */
export function judgeUnder(context: () => AdmissionContext): Judge {
  return async (request, signal, through) => {
    const now = context();
    return await judgeRequest(request, { ...now, judge: through(now.judge) }, signal);
  };
}
