// `--deadline`: an end for a whole command, whatever its parts may take.

import { type Command, Option } from 'commander';
import { withDeadline } from '../signing/deadline.ts';
import { CliError } from './errors.ts';
import { duration } from './options.ts';

export interface DeadlineOptions {
  /** Milliseconds. */
  readonly deadline?: number;
}

export function addDeadlineOption(command: Command): Command {
  return command.addOption(
    new Option('--deadline <duration>', 'for everything together (default: none)').argParser(duration),
  );
}

/** Runs a part of the command, which is told when to stop. */
export type Within = <T>(run: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Starts the time. What runs when it is over fails with CliError ERR_DEADLINE, and so does what is begun later. */
export function startDeadline({ deadline }: DeadlineOptions): Within {
  const tooLate = () =>
    new CliError('ERR_DEADLINE', `it was not done within ${deadline} ms (--deadline)`, {
      hint: 'try again, or allow more time; what was begun may be there in part',
    });
  const controller = new AbortController();
  // A command that is done does not wait for it.
  if (deadline !== undefined) setTimeout(() => controller.abort(tooLate()), deadline).unref();
  return (run) => withDeadline({ milliseconds: undefined, error: tooLate }, controller.signal, run);
}
