// What the API server makes of a patch: for who judges an object that it has not seen yet.

import { isDeepStrictEqual } from 'node:util';
import type { JsonPatch, JsonPatchOperation } from './json-patch.ts';

type Container = Record<string, unknown> | unknown[];

/** @returns a copy; undefined where the patch does not fit: it is void as a whole then (RFC 6902, section 5) */
export function applyPatch<T extends object>(object: T, patch: JsonPatch): T | undefined {
  const copy = structuredClone(object);
  return patch.every((operation) => applyOne(copy as Container, operation)) ? copy : undefined;
}

function applyOne(root: Container, { op, path, value }: JsonPatchOperation): boolean {
  const steps = path.split('/').slice(1).map(unescapeStep);
  const last = steps.pop();
  const parent = steps.reduce<unknown>((inside, step) => memberOf(inside, step), root);
  if (last === undefined || typeof parent !== 'object' || parent === null) return false;
  if (op === 'test') return isDeepStrictEqual(memberOf(parent, last), value);
  return add(parent as Container, last, structuredClone(value));
}

/** RFC 6901, section 4. */
function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function memberOf(container: unknown, step: string): unknown {
  if (typeof container !== 'object' || container === null || !Object.hasOwn(container, step))
    return undefined;
  return (container as Record<string, unknown>)[step];
}

function add(container: Container, step: string, value: unknown): boolean {
  if (!Array.isArray(container)) {
    Object.defineProperty(container, step, { value, writable: true, enumerable: true, configurable: true });
    return true;
  }
  const index = step === '-' ? container.length : Number(step);
  if (!/^(?:-|0|[1-9]\d*)$/.test(step) || index > container.length) return false;
  container.splice(index, 0, value);
  return true;
}
