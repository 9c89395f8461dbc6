// `trellis policy explain`

import type { Command } from 'commander';
import { judgePromises } from '../../admission/decide/judge-promises.ts';
import { explainNamespace } from '../../admission/explain/namespace-policy.ts';
import { explainPod } from '../../admission/explain/pod-policy.ts';
import { podOf } from '../../admission/pod/pod-of.ts';
import { namespacedName } from '../../model/mesh.ts';
import { escapeInvisible } from '../../model/problem.ts';
import { policiesForNamespace } from '../../policy/selection.ts';
import { CliError } from '../errors.ts';
import { refuseTwoStreams } from '../manifest-files.ts';
import { forTerminal, print, printJson } from '../output.ts';
import { readPolicyFiles } from '../policy-files.ts';
import { registryAdvice } from './offline-advice.ts';
import { readOnePodManifest } from './pod-manifests.ts';
import { findingsJson } from './render-decision.ts';
import { renderNamespace } from './render-namespace.ts';
import { renderPod } from './render-pod.ts';
import { sidecarSettings } from './sidecar-image.ts';

export interface PolicyExplainOptions {
  readonly namespace: string;
  readonly policy: readonly string[];
  readonly pod?: string;
  readonly rootNamespace: string;
  readonly sidecarImage?: readonly string[];
  readonly json?: true;
}

/** @throws CliError */
export async function runPolicyExplain(options: PolicyExplainOptions, command: Command): Promise<void> {
  const { namespace, rootNamespace, json } = options;
  refuseTwoStreams([...options.policy, ...(options.pod === undefined ? [] : [options.pod])]);
  const sidecar = sidecarSettings(options.sidecarImage ?? []);
  const files = await readPolicyFiles(options.policy, (own) => own !== namespace && own !== rootNamespace);
  for (const each of files.spared) {
    const line = `trellis: warning: a policy cannot be used, and does not hold in ${namespace}: ${each}`;
    command.configureOutput().writeErr?.(`${escapeInvisible(line)}\n`);
  }
  const policies = new Map(files.policies.map((policy) => [namespacedName(policy), policy]));
  const holding = policiesForNamespace(files.policies, rootNamespace, namespace);
  const asked = options.pod === undefined ? undefined : await onePod(options.pod, namespace);
  const judged = asked && podOf(asked.request, asked.request.object);
  const labels = judged?.pod.metadata.labels;
  const explained = explainNamespace(policies, { namespace, rootNamespace }, labels, {
    now: new Date(),
    hasEntry: (...names) => files.configMap(...names) !== undefined,
  });
  const pod =
    asked === undefined || judged === undefined
      ? undefined
      : {
          name: asked.name,
          ...explainPod(judged.pod, holding, sidecar),
          // As a template: what the webhook adds to a pod is not there yet.
          findings: judgePromises({ ...judged, kind: 'template' }, undefined, {
            policies: holding,
            sidecar,
            advice: registryAdvice,
          }),
        };
  if (json) {
    const sidecarImages = sidecar?.revisions.map(({ image }) => image) ?? [];
    const shownPod = pod && { ...pod, findings: findingsJson(pod) };
    printJson(command, { ...explained, sidecarImages, pod: shownPod });
    return;
  }
  const lines = [
    ...renderNamespace(explained, sidecar),
    ...(pod === undefined ? [] : renderPod(pod.name, pod, pod.findings)),
  ];
  print(command, forTerminal(lines.join('\n')));
}

async function onePod(path: string, namespace: string) {
  const manifest = await readOnePodManifest(path, namespace);
  const own = manifest.request.namespace;
  if (own === namespace) return manifest;
  throw new CliError('ERR_USAGE', `${manifest.name} is not of the namespace ${namespace}`, {
    hint: `give -n ${own}`,
  });
}
