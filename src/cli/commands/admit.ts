import { type Command, Option } from 'commander';
import type { AdmitOptions } from '../admission/run-admit.ts';
import { addSidecarOption } from '../admission/sidecar-image.ts';
import { collect, duration, namespaceName } from '../options.ts';
import { addRegistryOptions } from '../registry-options.ts';

const defaultDeadlineMs = 60_000;

export function registerAdmit(program: Command): void {
  const command = program
    .command('admit')
    .description('judge manifests as the admission webhook would, before they are applied')
    .requiredOption(
      '-f, --filename <file>',
      'manifests (a file, a directory, or -); can be given again',
      collect,
    )
    .requiredOption(
      '--policy <file>',
      'QuantumSecurityPolicies, with the ConfigMaps they refer to (a file, a directory, or -); can be given again',
      collect,
    )
    .option('-n, --namespace <namespace>', 'of manifests that name none', namespaceName, 'default')
    .option(
      '--root-namespace <namespace>',
      'policies in it hold for the whole mesh',
      namespaceName,
      'trellis-system',
    )
    .addOption(
      new Option('--deadline <duration>', 'how long one object may take')
        .argParser(duration)
        .default(defaultDeadlineMs, '1m'),
    )
    .addOption(
      new Option(
        '--exempt-namespace <namespace>',
        'not judged: give what exemptNamespaces of the chart has; can be given again',
      ).argParser((value: string, before: readonly string[] | undefined) =>
        collect(namespaceName(value), before),
      ),
    )
    .option('--json', 'print one JSON document');
  addRegistryOptions(addSidecarOption(command))
    .addHelpText(
      'after',
      `
Judged are Pods and what makes pods (Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob);
kinds that make no pods are passed over, and kinds of others named. What no API server would take (a kind that there is not, a
pod without containers) is an error. What the webhook adds to a pod (digests of tags, the sidecar) need not be there.
No cluster is asked which namespaces it exempts: without --exempt-namespace those that the webhook never sees (kube-system) are judged, too.
Registries are asked with the credentials of whoever runs it: pull secrets are in the cluster.
Ends with 0 when all are allowed (with warnings, too), with 1 when one is denied, with 2 when something that is given is wrong (a
manifest, or a policy that cannot be used), with 3 when none is denied and a registry could not be asked about one.

Examples:
  trellis admit -f deploy/ --policy policies/
  kustomize build . | trellis admit -f - -n trading --policy policies/ --json`,
    )
    .action(run);
}

async function run(options: AdmitOptions, command: Command): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { runAdmit } = await import('../admission/run-admit.ts');
  await runAdmit(options, command);
}
