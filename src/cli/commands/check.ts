import type { Command } from 'commander';
import type { CheckOptions } from '../admission/run-check.ts';

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('name what would keep a cold cluster from coming up again, with the admission webhook in it')
    .argument('<file...>', 'objects of a cluster (files, directories, or -)')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
The webhook lets no pod through that it has not judged. Whatever it needs before it can run has to be in a namespace that it does
not judge (exemptNamespaces of the chart): found are the network of pods, cluster DNS, registries in the cluster, other webhooks
that fail closed, and the webhook itself. Nothing is contacted, and nothing is changed.
Ends with 0 when the cluster comes up again (delays are named), with 1 when something would wait for ever, with 2 when something
that is given is wrong.

Examples:
  kubectl get -A -o yaml namespaces,services,daemonsets,deployments,statefulsets,validatingwebhookconfigurations,mutatingwebhookconfigurations > cluster.yaml
  trellis check cluster.yaml
  helm template trellis charts/trellis -n trellis-system -f values.yaml | trellis check cluster.yaml -     (before it is installed)`,
    )
    .action(run);
}

async function run(paths: readonly string[], options: CheckOptions, command: Command): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { runCheck } = await import('../admission/run-check.ts');
  await runCheck(paths, options, command);
}
