// Warnings, as many and as long as reach whoever asked. The API server passes 4,096 characters of all webhooks together; beyond
// that it cuts every warning, of others too, to 256, and drops the last ones (endpoints/filters/warning.go). What it would cut is
// shortened here, where it is known which ones matter.

import { escapeInvisible } from '../../model/problem.ts';
import type { Finding } from '../decision.ts';
import { shortenChars } from '../shorten.ts';

/** Characters of all warnings: a quarter of what there is stays for other webhooks, and for the API server's own. */
const maxTotalChars = 3_072;
/** Characters of each, where there is no room for the whole of all. */
const maxWarningChars = 256;
/** Room for the last one, which says how many are not there. */
const maxWarnings = maxTotalChars / maxWarningChars;

/** @param findings the most important first; those that are enforced, or for the audit alone, are no warnings */
export function warningsOf(findings: readonly Finding[]): readonly string[] {
  const warned = findings.filter(({ enforcement }) => enforcement === 'warn');
  // One with a control character in it is dropped (NewWarningHeader), and the same text twice is said once.
  const texts = [...new Set(warned.map(({ message }) => escapeInvisible(message)))];
  if (texts.reduce((sum, { length }) => sum + length, 0) <= maxTotalChars) return texts;
  const short = texts.map((text) => shortenChars(text, maxWarningChars));
  if (short.length <= maxWarnings) return short;
  const shown = short.slice(0, maxWarnings - 1);
  return [...shown, `and ${texts.length - shown.length} more; trellis admit tells all of them`];
}
