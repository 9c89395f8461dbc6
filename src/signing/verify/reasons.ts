// The sentences of authorities. They go into admission messages, so they stay short however much junk there is.

import type { Authority } from './policy.ts';
import type { KeysetVerdict, SignatureCode, SignatureReport } from './verdict.ts';

/** Reasons of bundles that are quoted; the report has them all. */
const maxQuotedReasons = 3;

/** The longest that a bundle, a certificate or a registry may say in a reason. */
const maxQuotedCharacters = 600;

/** A text that others had a hand in: short, and without what a terminal or a log reader would act on. */
export function quotable(text: string): string {
  const short = text.length > maxQuotedCharacters ? `${text.slice(0, maxQuotedCharacters)}…` : text;
  // Control and format characters, those that turn the direction of writing among them, and halves of pairs.
  return short.replace(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

export function satisfied({ name }: Authority, holding: readonly KeysetVerdict[]): string {
  return `authority "${name}" is satisfied by keyset ${holding.map((each) => `"${each.name}"`).join(' and ')}`;
}

export function missed({ name, threshold }: Authority, keysets: readonly KeysetVerdict[]): string {
  const failing = keysets
    .filter(({ ok }) => !ok)
    .map((keyset) => `keyset "${keyset.name}": ${keyset.reason}`)
    .join('; ');
  const of = keysets.length === 1 ? '' : `, needs ${threshold} of ${keysets.length} keysets`;
  return `authority "${name}" is not satisfied${of}: ${failing}`;
}

/** What was never about this is not worth a word. */
const unrelated: ReadonlySet<SignatureCode> = new Set(['valid', 'foreign', 'other-predicate']);

/** Why bundles that may have been meant for this do not count; begins with a full stop, or is empty. */
export function whyOthersDoNotCount(reports: readonly SignatureReport[], predicateType: string): string {
  const refused = reports.filter(
    (report) =>
      !unrelated.has(report.code) &&
      (report.predicateType === undefined || report.predicateType === predicateType),
  );
  if (refused.length === 0) return '';
  // Limits first: where one was reached, the good signature may be among what was not looked at.
  const byReason = [...Map.groupBy(refused, ({ reason }) => reason)].toSorted(
    ([, [a]], [, [b]]) => Number(b?.code === 'over-limit') - Number(a?.code === 'over-limit'),
  );
  const quoted = byReason
    .slice(0, maxQuotedReasons)
    .map(([reason, { length }]) => (length === 1 ? reason : `${reason} (${length} times)`));
  const others = byReason.length > quoted.length ? ['others: see trellis verify --json'] : [];
  const bundles =
    refused.length === 1 ? '1 referrer of the image does' : `${refused.length} referrers of the image do`;
  return `. ${bundles} not count: ${[...quoted, ...others].join('; ')}`;
}
