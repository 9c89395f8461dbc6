// The command line. Each command is a file in commands/ that registers itself; this file only wires them up and turns
// what they throw into a message and an exit code.

import { Command, CommanderError } from 'commander';
import { registerAdmit } from './commands/admit.ts';
import { registerAgent } from './commands/agent.ts';
import { registerAttest } from './commands/attest.ts';
import { registerBootstrap } from './commands/bootstrap.ts';
import { registerCheck } from './commands/check.ts';
import { registerControlPlane } from './commands/control-plane.ts';
import { registerCopy } from './commands/copy.ts';
import { registerDemo } from './commands/demo.ts';
import { registerExplain } from './commands/explain.ts';
import { registerInspect } from './commands/inspect.ts';
import { registerKey } from './commands/key.ts';
import { registerKeygen } from './commands/keygen.ts';
import { registerPolicy } from './commands/policy.ts';
import { registerSign } from './commands/sign.ts';
import { registerSignBlob } from './commands/sign-blob.ts';
import { registerToken } from './commands/token.ts';
import { registerVerify } from './commands/verify.ts';
import { registerVerifyAttestation } from './commands/verify-attestation.ts';
import { registerVerifyBlob } from './commands/verify-blob.ts';
import { registerVersion } from './commands/version.ts';
import { registerWebhook } from './commands/webhook.ts';
import { type ExitCode, exitCodeHelp, exitCodes, signingExitCode } from './exit-codes.ts';
import { refuseRepetition } from './repetition.ts';
import { report } from './report.ts';

type Register = (program: Command) => void;

const meshCommands: readonly Register[] = [
  registerControlPlane,
  registerWebhook,
  registerAgent,
  registerToken,
  registerBootstrap,
  registerExplain,
  registerDemo,
];

const signingCommands: readonly Register[] = [
  registerSign,
  registerVerify,
  registerAttest,
  registerVerifyAttestation,
  registerInspect,
  registerCopy,
  registerSignBlob,
  registerVerifyBlob,
  registerKeygen,
  registerKey,
];

const admissionCommands: readonly Register[] = [registerAdmit, registerPolicy, registerCheck];

/** Where output goes. */
export interface CliStreams {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

const processStreams: CliStreams = {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
};

function createProgram(streams: CliStreams): Command {
  const program = new Command('trellis');
  program
    .description(
      'A post-quantum service mesh for Kubernetes workloads on stock Envoy, hybrid signatures of their images, and their admission',
    )
    .option('--verbose', 'show the stack of an error')
    .exitOverride()
    .configureOutput({ writeOut: streams.stdout, writeErr: streams.stderr })
    .showHelpAfterError('(add --help for the options)')
    .addHelpText('after', exitCodeHelp());
  program.commandsGroup('Mesh:');
  for (const register of meshCommands) register(program);
  program.commandsGroup(admissionGroup);
  for (const register of admissionCommands) register(program);
  program.commandsGroup(signingGroup);
  for (const register of signingCommands) register(program);
  program.commandsGroup('About:').helpCommand('help [command]', 'show the options of a command');
  registerVersion(program);
  refuseRepetition(program);
  return program;
}

const admissionGroup = 'Admission:';
const signingGroup = 'Images, signatures and keys:';
/** Their answers are about images. */
const groupsAboutImages = [admissionGroup, signingGroup];

/** By the first word that is no option: nothing before a command takes a value. */
function isAboutImages(program: Command, argv: readonly string[]): boolean {
  const name = argv.find((word) => !word.startsWith('-'));
  return program.commands.some(
    (each) => each.name() === name && groupsAboutImages.includes(each.helpGroup()),
  );
}

/** Runs one command line (without the `node` and script words) to its end. Never throws. */
export async function main(argv: readonly string[], streams: CliStreams = processStreams): Promise<ExitCode> {
  const program = createProgram(streams);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    // Commander has printed its own message by now; --help and the like come here too, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const exitCode = report(error, { write: streams.stderr, verbose: program.opts()['verbose'] === true });
    return isAboutImages(program, argv) ? signingExitCode(exitCode) : exitCode;
  }
}

/** The process's entry point, called by bin/trellis.js. */
export async function start(): Promise<void> {
  const argv = process.argv.slice(2);
  const die = (error: unknown): void => {
    const exitCode = report(error, { write: processStreams.stderr, verbose: argv.includes('--verbose') });
    process.exit(isAboutImages(createProgram(processStreams), argv) ? signingExitCode(exitCode) : exitCode);
  };
  // Rejections that nobody handles arrive here too.
  process.on('uncaughtException', die);
  // `trellis … | head` closes the pipe early; that is not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    die(error);
  });
  // When nothing is left to wait for, Node would end with a code of its own and words about itself.
  const unfinished = () => die(new Error('the command waited for something that never came'));
  process.once('beforeExit', unfinished);
  const exitCode = await main(argv);
  process.off('beforeExit', unfinished);
  // A failed command may leave servers open, which would keep the process alive for ever.
  if (exitCode === exitCodes.ok) process.exitCode = exitCode;
  else process.exit(exitCode);
}
