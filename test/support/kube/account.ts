import type { Kube } from '../kube.ts';
import { until } from '../until.ts';

/** Resolves when pods can be made in the namespace, which take its `default` service account. */
export async function untilAccount(kube: Pick<Kube, 'request'>, namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await until(`the service account of ${namespace}`, async () => {
    const { status } = await kube.request('GET', path);
    return status === 200;
  });
}
