// @peculiar/x509 as a second opinion. Its dependency-injection library wants the metadata functions of an abandoned
// proposal on Reflect; these are the few it calls, so that no polyfill package is needed.

const metadata = new WeakMap<object, Map<unknown, unknown>>();

Object.assign(Reflect, {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const own = metadata.get(target) ?? new Map<unknown, unknown>();
    metadata.set(target, own.set(key, value));
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return metadata.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
      const own = metadata.get(at);
      if (own?.has(key)) return own.get(key);
    }
    return undefined;
  },
});

/** Loaded after the functions above exist. */
export const x509 = await import('@peculiar/x509');
