// The Link header (RFC 8288), by which a list says that it goes on.

/** The target of the first link with relation `next`; undefined when there is none. */
export function nextLink(header: string | undefined): string | undefined {
  // A target ends at its `>`; parameters have no `<`.
  for (const [, target, parameters] of (header ?? '').matchAll(/<([^<>]*)>([^<]*)/g)) {
    const relations = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters ?? '');
    const names = (relations?.[1] ?? relations?.[2] ?? '').toLowerCase().split(/\s+/);
    if (names.includes('next')) return target;
  }
  return undefined;
}
