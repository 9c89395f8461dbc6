// What is known about a test program, and comparing versions.

export interface Tool {
  readonly path: string;
  readonly version: string;
}

/** Of releases: numbers and dots. */
export function isAtLeast(version: string, minimum: string): boolean {
  const [found, needed] = [version, minimum].map((text) => text.split('.').map(Number));
  for (const [index, number] of (needed ?? []).entries()) {
    const difference = (found?.[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
