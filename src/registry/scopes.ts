// What a request is allowed to do, as token endpoints name it.

import type { Scope } from './auth/authorizer.ts';
import type { Repository } from './reference.ts';

export function pullScope({ path }: Repository): Scope {
  return `repository:${path}:pull`;
}

export function pushScope({ path }: Repository): Scope {
  return `repository:${path}:pull,push`;
}
