import { InvalidArgumentError } from 'commander';

/** Collects `-a key=value` options, one by one. The value may hold `=`. */
export function annotation(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('give KEY=VALUE, as in commit=4f53cda.');
  const key = text.slice(0, at);
  if (Object.hasOwn(before ?? {}, key)) throw new InvalidArgumentError(`${key} is given twice.`);
  return Object.fromEntries([...Object.entries(before ?? {}), [key, text.slice(at + 1)]]);
}
