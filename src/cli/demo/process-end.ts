// What to tell about a process that ended when it should not have.

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** The system's error code when it could not be started at all. */
  readonly startError: string | undefined;
}

/** Enough to see an error with its context, little enough to read. */
const shownLogLines = 12;
/** Envoy prints whole configurations into one line. */
const maxLineChars = 600;

const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /address already in use|EADDRINUSE|ERR_ADDRESS_IN_USE/i,
    'something else listens on that address: end it, or start the demo again, which then takes other addresses',
  ],
  [
    /cannot assign requested address|can't assign requested address|EADDRNOTAVAIL/i,
    'this machine has no such loopback address: on macOS add it with `sudo ifconfig lo0 alias ADDRESS`',
  ],
  [
    /no space left|ENOSPC|EDQUOT/i,
    'the disk is full: free some space, or give --state a directory elsewhere',
  ],
  [
    /too many open files|EMFILE|ENFILE/i,
    'too few open files are allowed here: raise the limit with `ulimit -n 4096`',
  ],
  [
    /cannot allocate memory|ENOMEM|out of memory/i,
    'there is too little memory: the demo needs about 2 GB, most of it for eight Envoys',
  ],
];

const otherwise = 'run it again with --state DIR to keep every log in DIR/logs';

export interface Explained {
  readonly message: string;
  /** What to do. */
  readonly hint: string;
}

/** Why a process has ended, with the end of its log. */
export function describeEnd(name: string, end: ProcessEnd, log: string): Explained {
  return withLog(`${name} ${howItEnded(end)}`, log, end.startError);
}

/** A message with the end of the log of the process that it is about. */
export function withLog(message: string, log: string, more = ''): Explained {
  const lines = log.split('\n').flatMap(readable).slice(-shownLogLines);
  const shown = lines.map((line) => `\n    ${line.slice(0, maxLineChars)}`);
  const text = `${more} ${lines.join('\n')}`;
  return {
    message: `${message}${shown.length === 0 ? '' : `; the end of its log:${shown.join('')}`}`,
    hint: remedies.find(([pattern]) => pattern.test(text))?.[1] ?? otherwise,
  };
}

/** From this level on (pino's `warn`) a line of our own logs may be the reason for something. */
const warnLevel = 40;

/** Our own logs are JSON: of those, what was wrong, in words. Everything else as it is. */
function readable(line: string): readonly string[] {
  if (line.trim() === '') return [];
  if (!line.startsWith('{"level":')) return [line];
  try {
    const { level, msg, reason } = JSON.parse(line) as { level: number; msg?: string; reason?: string };
    if (level < warnLevel) return [];
    return [reason === undefined ? String(msg) : `${msg}: ${reason}`];
  } catch {
    return [line];
  }
}

function howItEnded({ code, signal, startError }: ProcessEnd): string {
  if (startError !== undefined) return `could not be started (${startError})`;
  return signal === undefined ? `ended with code ${code}` : `was ended by ${signal}`;
}
