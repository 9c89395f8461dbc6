import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type AdminAddress, envoyBootstrap } from '../../agent/bootstrap.ts';
import { CliError } from '../errors.ts';
import { address, workload } from '../options.ts';
import { print } from '../output.ts';

interface BootstrapCommandOptions {
  readonly socket: string;
  readonly nodeId: string;
  readonly admin?: { readonly host: string; readonly port: number };
  readonly adminSocket?: string;
}

export function registerBootstrap(program: Command): void {
  program
    .command('bootstrap')
    .description('print the Envoy configuration for a socket that `trellis agent` serves; it holds no secret')
    .requiredOption('--socket <path>', 'the socket of the agent')
    .requiredOption('--node-id <namespace/pod>', 'what Envoy calls itself in logs and statistics', workload)
    .addOption(
      new Option('--admin <host:port>', 'where Envoy serves its admin interface')
        .argParser(address)
        .conflicts('adminSocket'),
    )
    .option('--admin-socket <path>', 'the same on a Unix socket that only its owner can open')
    .addHelpText(
      'after',
      '\nExample:\n  envoy --config-yaml "$(trellis bootstrap --socket /run/trellis/agent.sock --node-id shop/cart --admin-socket /run/trellis/admin.sock)"',
    )
    .action((options: BootstrapCommandOptions, command: Command) => {
      const { socket, nodeId } = options;
      print(
        command,
        JSON.stringify(envoyBootstrap({ socket: resolve(socket), nodeId, admin: admin(options) })),
      );
    });
}

function admin({ admin: tcp, adminSocket }: BootstrapCommandOptions): AdminAddress {
  if (tcp !== undefined) return { kind: 'tcp', ...tcp };
  if (adminSocket !== undefined) return { kind: 'pipe', path: resolve(adminSocket) };
  throw new CliError('ERR_USAGE', "say where Envoy's admin interface listens", {
    hint: 'add --admin-socket PATH or --admin HOST:PORT',
  });
}
