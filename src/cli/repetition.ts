// An option that takes one value and is given twice: the second would silently take the place of the first, of two policies
// the one that was to be obeyed.

import type { Command, Option } from 'commander';
import { CliError } from './errors.ts';

/** Lets no option of the program and its commands be given more often than its values are kept. */
export function refuseRepetition(program: Command): void {
  for (const option of program.options) {
    if (!keepsOneValue(option)) continue;
    let given = false;
    program.on(`option:${option.name()}`, () => {
      if (given) {
        throw new CliError('ERR_USAGE', `${option.long ?? option.flags} is given twice, and takes one value`);
      }
      given = true;
    });
  }
  for (const command of program.commands) refuseRepetition(command);
}

/** A parser that also takes what came before adds to it. Flags say the same twice. */
function keepsOneValue({ required, optional, variadic, parseArg }: Option): boolean {
  return (required || optional) && !variadic && (parseArg === undefined || parseArg.length < 2);
}
