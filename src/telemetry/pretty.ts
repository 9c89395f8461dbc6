// A log line for people: `10:19:37.123 INFO  xds proxy connected  proxy=a/b  streams=3`.

import pico from 'picocolors';

// What others wrote must not move the cursor, colour the terminal or start a line of its own: C0 and C1 controls, DEL,
// and the Unicode line separators and direction overrides.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

function printable(text: string): string {
  return text.replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Stacks are printed apart, and those of causes not at all: the JSON form has them. */
function compact(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@%+-]+$/.test(value)) return value;
  return printable(JSON.stringify(value, (name, inner: unknown) => (name === 'stack' ? undefined : inner)));
}

/** What pino writes, unless a field of the caller's has the same name: then it may be anything. */
type LogRecord = Readonly<Record<'level' | 'time' | 'msg' | 'component', unknown>> & {
  readonly err?: { readonly stack?: unknown } | null;
};

/** Turns one JSON line of pino into one line of text, followed by the stack of an error, indented. */
export function prettyPrinter({ colors }: { readonly colors: boolean }): (json: string) => string {
  const color = pico.createColors(colors);
  const levels: Readonly<Record<number, string>> = {
    10: color.dim('TRACE'),
    20: color.dim('DEBUG'),
    30: color.green('INFO '),
    40: color.yellow('WARN '),
    50: color.red('ERROR'),
    60: color.red('FATAL'),
  };
  return (json) => {
    const { level, time, msg = '', component, ...fields } = JSON.parse(json) as LogRecord;
    const head = [
      color.dim(printable(String(time).slice(11, 23))),
      levels[Number(level)] ?? String(level),
      ...(component === undefined ? [] : [color.cyan(printable(String(component)))]),
      printable(String(msg)),
    ].join(' ');
    const pairs = Object.entries(fields).map(
      ([name, value]) => `${color.dim(`${printable(name)}=`)}${compact(value)}`,
    );
    const frames = String(fields.err?.stack ?? '')
      .split('\n')
      .slice(1);
    const lines = [[head, ...pairs].join('  '), ...frames.map((frame) => `    ${printable(frame.trim())}`)];
    return `${lines.join('\n')}\n`;
  };
}
