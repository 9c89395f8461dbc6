import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { GrpcError, status } from '../../grpc/status.ts';
import { isSystemError } from '../../identity/private-files.ts';
import type { TokenType } from '../../identity/tokens/types.ts';
import { CliError, type CliErrorCode } from '../errors.ts';
import { print } from '../output.ts';

const types = { 'ml-dsa': 'ML-DSA', 'jwt-svid': 'JWT-SVID' } as const satisfies Record<string, TokenType>;

interface FetchOptions {
  readonly socket: string;
  readonly audience: string;
  readonly type: keyof typeof types;
  readonly json?: true;
}

/** Below `trellis token`. */
export function registerTokenFetch(token: Command): void {
  token
    .command('fetch')
    .description(
      'print a token of the workload whose agent serves this socket; it lives five minutes at most',
    )
    .requiredOption('--socket <path>', "the agent's socket")
    .requiredOption('--audience <name>', 'whom the token will be shown to: a SPIFFE ID, or another name')
    .addOption(
      new Option('--type <type>', 'post-quantum, or what other SPIFFE software understands')
        .choices(Object.keys(types))
        .default('ml-dsa'),
    )
    .option('--json', 'print one JSON object, with the time at which the token expires')
    .action(run);
}

async function run({ socket, audience, type, json }: FetchOptions, command: Command): Promise<void> {
  const path = resolve(socket);
  // Loaded only now, with the generated protobuf code behind it: no other command should have to read all of that.
  const { fetchToken } = await import('../../agent/token-client.ts');
  const { token, expiresAt } = await fetchToken(path, { type: types[type], audience }).catch(
    (error: unknown) => {
      throw explained(error, path);
    },
  );
  print(command, json ? JSON.stringify({ token, expiresAt: expiresAt.toISOString() }) : token);
}

const codeOfStatus: Readonly<Record<number, CliErrorCode>> = {
  [status.invalidArgument]: 'ERR_USAGE',
  [status.permissionDenied]: 'ERR_CHECK_FAILED',
  [status.failedPrecondition]: 'ERR_CHECK_FAILED',
  [status.unauthenticated]: 'ERR_CHECK_FAILED',
};

function explained(error: unknown, path: string): unknown {
  if (error instanceof GrpcError) {
    const code = codeOfStatus[error.code] ?? 'ERR_UNAVAILABLE';
    return new CliError(code, `the agent at ${path} gave no token: ${error.message}`, {
      ...(error.code === status.unimplemented
        ? { hint: 'is it the socket of a Trellis agent of this version?' }
        : {}),
      cause: error,
    });
  }
  if (isSystemError(error, 'ENOENT', 'ECONNREFUSED', 'ENOTSOCK')) {
    return new CliError('ERR_UNAVAILABLE', `no agent serves ${path}`, {
      hint: 'give the --socket of a running trellis agent',
      cause: error,
    });
  }
  if (isSystemError(error, 'EACCES', 'EPERM')) {
    return new CliError('ERR_NO_PERMISSION', `${path} cannot be opened by this user`, {
      hint: "whoever opens it holds the workload's identity, so only the user of the agent may",
      cause: error,
    });
  }
  return error;
}
