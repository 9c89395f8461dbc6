// Label selectors, as Kubernetes defines them (metav1.LabelSelector).

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly LabelExpression[];
}

interface LabelExpression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** Whether a selector selects an object with these labels. A selector that is absent selects everything. */
export function selectorMatches(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return true;
  return (
    labelsMatch(selector.matchLabels ?? {}, labels) &&
    (selector.matchExpressions ?? []).every((expression) => expressionMatches(expression, labels))
  );
}

/** Whether `labels` has every pair of `wanted` (the selector of a Service). */
export function labelsMatch(wanted: Labels, labels: Labels): boolean {
  for (const key of Object.keys(wanted)) if (label(labels, key) !== wanted[key]) return false;
  return true;
}

function expressionMatches(expression: LabelExpression, labels: Labels): boolean {
  const value = label(labels, expression.key);
  const listed = value !== undefined && (expression.values ?? []).includes(value);
  switch (expression.operator) {
    case 'In':
      return listed;
    case 'NotIn':
      return !listed;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Own properties only: a label may be called `constructor`. */
function label(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
