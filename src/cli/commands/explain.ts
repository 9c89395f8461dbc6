import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { explanationJson } from '../../explain/explanation.ts';
import type { Header } from '../../explain/request.ts';
import type { NamespacedName } from '../../model/mesh.ts';
import { CliError } from '../errors.ts';
import type { CalledName } from '../explain/find.ts';
import { parseHeader, parseMethod, parsePath } from '../explain/parse-request.ts';
import { renderExplanation } from '../explain/render.ts';
import { port, trustDomain, workload } from '../options.ts';
import { print } from '../output.ts';
import { readSecret } from '../secret-input.ts';

interface ExplainCommandOptions {
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  readonly header: readonly Header[];
  readonly token?: string;
  readonly manifests: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly state?: string;
  readonly json?: true;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('say, from manifests alone, whether one pod may call another, and why')
    .argument('<caller>', 'NAMESPACE/POD', workload)
    .argument('<called>', 'NAMESPACE/SERVICE, or NAMESPACE/POD', called)
    .option('--port <number>', 'the port that is called, where there are several', port)
    .option('--method <method>', 'of the HTTP request; GET when it is not given', parseMethod)
    .option('--path <path>', 'of the HTTP request, with its query; / when it is not given', parsePath)
    .addOption(
      new Option('--header <name: value>', 'a header of the request; can be given again')
        .argParser((text: string, before: readonly Header[]) => [...before, parseHeader(text)])
        .default([], 'none'),
    )
    .option(
      '--token <file>',
      'a workload token that the request carries (- is standard input); needs --state',
    )
    .option('--manifests <directory>', 'Kubernetes manifests (*.yaml, *.yml, *.json)', '.')
    .option('--trust-domain <name>', 'SPIFFE trust domain', trustDomain, 'cluster.local')
    .option(
      '--root-namespace <namespace>',
      'policies in this namespace hold for the whole mesh',
      'trellis-system',
    )
    .option('--state <directory>', 'of the control plane: its public keys verify the token')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
A Service goes before a pod of the same name; pod:NAMESPACE/POD asks about the pod. Nothing is contacted: the answer is what
the proxies and agents of a mesh with these manifests would do. Ends with 0 when the call is allowed, with 1 when it is not.

Example:
  trellis explain shop/cart shop/orders --method POST --path /orders/7 --manifests examples/shop`,
    )
    .action(run);
}

async function run(
  caller: NamespacedName,
  calledName: CalledName,
  options: ExplainCommandOptions,
  command: Command,
): Promise<void> {
  const { token, state, header } = options;
  if (token !== undefined && state === undefined) {
    throw new CliError('ERR_USAGE', '--token cannot be verified without the keys of the trust domain', {
      hint: 'add --state with the state directory of the control plane',
    });
  }
  if (token !== undefined && header.some(({ name }) => name === 'authorization')) {
    throw new CliError('ERR_USAGE', '--token is the header authorization: give one of the two');
  }
  const presented =
    token === undefined
      ? undefined
      : await readSecret(token, { what: 'the token', maxBytes: maxTokenBytes, fault: 'ERR_CONFIGURATION' });
  // Loaded only now, with the generated protobuf code behind it: no other command should have to read all of that.
  const { answer } = await import('../explain/answer.ts');
  const { writeErr } = command.configureOutput();
  const explanation = await answer({
    caller,
    called: calledName,
    port: options.port,
    asked: { method: options.method, path: options.path, headers: header, token: presented },
    place: {
      directory: resolve(options.manifests),
      trustDomain: options.trustDomain,
      rootNamespace: options.rootNamespace,
    },
    state: state === undefined ? undefined : resolve(state),
    now: new Date(),
    warn: (line) => writeErr?.(`${line}\n`),
  });
  print(command, options.json ? explanationJson(explanation) : renderExplanation(explanation));
  if (!explanation.allowed)
    throw new CliError(
      'ERR_CHECK_FAILED',
      `the call is denied: ${explanation.reason ?? 'no pod would get it'}`,
    );
}

/** As long as a token may be, and a newline. */
const maxTokenBytes = 17 * 1024;

/** `shop/orders`, `service:shop/orders`, `pod:shop/orders-1` */
function called(text: string): CalledName {
  const [, kind, name = ''] = /^(?:(pod|service):)?(.*)$/s.exec(text) ?? [];
  try {
    return { kind: kind as CalledName['kind'], name: workload(name) };
  } catch {
    throw new InvalidArgumentError('give NAMESPACE/SERVICE or NAMESPACE/POD, as in trading/gateway.');
  }
}
