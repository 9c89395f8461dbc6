import { type Command, Option } from 'commander';
import type { PolicyExplainOptions } from '../admission/run-policy-explain.ts';
import type { PolicyTestOptions } from '../admission/run-policy-test.ts';
import { addSidecarOption } from '../admission/sidecar-image.ts';
import { collect, namespaceName } from '../options.ts';
import { addRegistryOptions } from '../registry-options.ts';

const defaultRootNamespace = 'trellis-system';

export function registerPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .description('say what QuantumSecurityPolicies come to together, and test them');
  addSidecarOption(
    policy
      .command('explain')
      .description('say what holds in a namespace, and for a pod of it, and by which policy')
      .requiredOption('-n, --namespace <namespace>', 'the namespace', namespaceName)
      .requiredOption(
        '--policy <file>',
        'QuantumSecurityPolicies (a file, a directory, or - for standard input); can be given again',
        collect,
      )
      .option('--pod <file>', 'a Pod, or something that makes pods, of the namespace (- for standard input)')
      .addOption(rootNamespace())
      .option('--json', 'print one JSON document'),
  )
    .addHelpText(
      'after',
      `
Nothing is contacted: of images it says what is asked of them, not whether they are signed (trellis admit does).

Examples:
  trellis policy explain -n trading --policy policies/
  kubectl get quantumsecuritypolicies -A -o yaml | trellis policy explain -n trading --policy - --pod pod.yaml`,
    )
    .action(explain);
  addRegistryOptions(
    policy
      .command('test')
      .description('judge the cases of test files, and say which came out other than expected')
      .argument(
        '<path>',
        'a test, or a directory that is searched, with its directories, for *.test.yaml and *.test.yml',
      )
      .addOption(rootNamespace())
      .option('--json', 'print one JSON document'),
  )
    .addHelpText(
      'after',
      `
A test file names policies and cases; where it states images, no registry is asked (examples/policy-tests has an example).
It is judged as where no sidecar is injected, unless the file says sidecar: true. A case for whose namespace no policy holds
fails, unless it says withoutPolicies: true.
Ends with 0 when every case came out as expected, with 1 when one did not, with 2 when a file is wrong or cases failed only because
a policy cannot be used, with 3 when cases failed only because a registry could not be asked.

Example:
  trellis policy test policies/tests/`,
    )
    .action(test);
}

function rootNamespace(): Option {
  return new Option('--root-namespace <namespace>', 'policies in it hold for the whole mesh')
    .argParser(namespaceName)
    .default(defaultRootNamespace);
}

async function explain(options: PolicyExplainOptions, command: Command): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { runPolicyExplain } = await import('../admission/run-policy-explain.ts');
  await runPolicyExplain(options, command);
}

async function test(path: string, options: PolicyTestOptions, command: Command): Promise<void> {
  const { runPolicyTest } = await import('../admission/run-policy-test.ts');
  await runPolicyTest(path, options, command);
}
