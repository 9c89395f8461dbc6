// The result of `--exit`, for programs and for people.

import { styleText } from 'node:util';
import type { CheckResult } from './check.ts';

export interface DemoReport {
  readonly ok: boolean;
  /** Version of Envoy; null when none was found. */
  readonly envoy: string | null;
  readonly checks: readonly CheckResult[];
  /** Why there are no checks, or not all. */
  readonly error?: string;
}

/** Everything held: all checks were run, and each is ok. */
export function demoReport(
  envoy: string | undefined,
  checks: readonly CheckResult[],
  error: string | undefined,
): DemoReport {
  const ok = error === undefined && checks.length > 0 && checks.every((check) => check.ok);
  const ordered = checks.map(({ id, ok: held, detail, ms }) => ({ id, ok: held, detail, ms }));
  return { ok, envoy: envoy ?? null, checks: ordered, ...(error === undefined ? {} : { error }) };
}

/** One line for a check. */
export function checkLine({ id, ok, detail, ms }: CheckResult, colors: boolean): string {
  const mark = paint(colors, ok ? 'green' : 'red', ok ? 'ok    ' : 'FAILED');
  return `${mark} ${id.padEnd(26)} ${paint(colors, 'dim', `${String(ms).padStart(6)} ms`)}  ${detail}`;
}

/** The last line. */
export function summaryLine(checks: readonly CheckResult[]): string {
  const failed = checks.filter(({ ok }) => !ok).map(({ id }) => id);
  if (failed.length === 0) return `all ${checks.length} checks held`;
  return `${failed.length} of ${checks.length} checks failed: ${failed.join(', ')}`;
}

/** No colours where there is no terminal, or nobody wants them (https://no-color.org). */
export function wantsColors(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '';
}

export function paint(
  colors: boolean,
  format: 'green' | 'red' | 'dim' | 'bold' | 'cyan',
  text: string,
): string {
  return colors ? styleText(format, text, { validateStream: false }) : text;
}
