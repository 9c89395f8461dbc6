import { describe, expect, test } from 'vitest';
import { itemsOf, type JsonObject } from '../../../../src/admission/sidecar/pod-object.ts';
import { renderSidecar } from '../../../../src/admission/sidecar/render.ts';
import { run } from '../../../../src/cli/tools/process.ts';
import { isRecord } from '../../../../src/model/manifest.ts';
import { testEnvoy } from '../../../support/tools.ts';
import { olderRevision, revision } from './support.ts';

describe('the container', () => {
  const { container } = renderSidecar(revision);
  const args = container['args'] as readonly string[];

  test('is a native sidecar of the revision', () => {
    expect(container).toMatchObject({
      name: 'trellis-proxy',
      image: revision.image,
      restartPolicy: 'Always',
    });
    expect(renderSidecar(olderRevision)).not.toEqual(renderSidecar(revision));
    expect(renderSidecar({ ...revision, name: 'other' })).not.toEqual(renderSidecar(revision));
  });

  test('is what the restricted Pod Security Standard allows, as the uid of the proxy', () => {
    expect(container['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 1337,
      runAsNonRoot: true,
      runAsUser: 1337,
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  test('starts no shell, and opens no port on the network for its admin interface', () => {
    expect(container['command']).toEqual(['/usr/local/bin/envoy']);
    expect(container).not.toHaveProperty('ports');
    expect(bootstrapOf(args)).toMatchObject({
      admin: { address: { pipe: { path: '/run/trellis-proxy/admin.sock' } } },
    });
  });

  test('mounts the socket of the agent read-only, and the pipe', () => {
    expect(container['volumeMounts']).toEqual([
      { name: 'trellis-agent', mountPath: '/run/trellis', readOnly: true },
      { name: 'trellis-proxy', mountPath: '/run/trellis-proxy' },
      // In place of the account's token.
      { name: 'trellis-proxy', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
    ]);
    expect(JSON.stringify(bootstrapOf(args))).toContain('"path":"/run/trellis/agent.sock"');
  });

  test('names in its arguments only variables that it has', () => {
    const variables = args
      .flatMap((argument) => [...argument.matchAll(/\$\(([^)]*)\)/g)])
      .map(([, name]) => name);
    expect(variables).toEqual(['POD_NAMESPACE', 'POD_NAME']);
    expect(itemsOf(container, 'env').map(({ name }) => name)).toEqual(expect.arrayContaining(variables));
  });

  test('is started as Envoy understands it', async () => {
    const { path } = await testEnvoy();
    const filled = args.map((argument) =>
      argument.replace('$(POD_NAMESPACE)', 'trading').replace('$(POD_NAME)', 'orders-0'),
    );
    const options = { env: {}, timeoutMs: 20_000 };
    expect(await run(path, [...filled, '--mode', 'validate'], options)).toMatchObject({
      status: 0,
      problem: '',
    });
    const without = filled.filter((argument) => !argument.startsWith('{'));
    expect(await run(path, [...without, '--mode', 'validate'], options)).not.toMatchObject({ status: 0 });
  });
});

describe('the volumes', () => {
  test('are the agent’s, read-only, and a small one in memory', () => {
    expect(renderSidecar(revision).volumes).toEqual([
      { name: 'trellis-agent', csi: { driver: 'csi.trellis.quantum.io', readOnly: true } },
      { name: 'trellis-proxy', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ]);
  });
});

test('what is rendered shares nothing with what is rendered next', () => {
  const { container } = renderSidecar(revision);
  Object.assign(container['securityContext'] as object, { runAsUser: 0 });
  Object.assign(container['resources'] as object, { limits: {} });
  expect(renderSidecar(revision).container).toMatchObject({
    securityContext: { runAsUser: 1337 },
    resources: { limits: { memory: '1Gi' } },
  });
});

function bootstrapOf(args: readonly string[]): JsonObject {
  const parsed: unknown = JSON.parse(args[args.indexOf('--config-yaml') + 1] ?? '');
  return isRecord(parsed) ? parsed : {};
}
