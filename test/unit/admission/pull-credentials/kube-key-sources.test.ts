import { expect, test } from 'vitest';
import { kubeKeySources } from '../../../../src/admission/pull-credentials/kube-key-sources.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { forbidden, type Held, holding } from './support.ts';

const path = '/api/v1/namespaces/trading/configmaps/trust';
const { signal } = new AbortController();
const sources = (kube: Held) => kubeKeySources({ client: kube.client, env: {} });

test('an entry of a ConfigMap of that namespace, as text or as bytes', async () => {
  const binary = Buffer.from([0xff, 0x00]);
  const kube = holding({ [path]: { data: { a: 'text ü' }, binaryData: { b: binary.toString('base64') } } });
  const { configMap } = sources(kube);
  expect(await configMap('trading', 'trust', 'a', signal)).toEqual(Buffer.from('text ü'));
  expect(await configMap('trading', 'trust', 'b')).toEqual(binary);
  for (const key of ['c', 'toString', '__proto__'])
    expect(await configMap('trading', 'trust', key)).toBeUndefined();
  expect(await configMap('other', 'trust', 'a')).toBeUndefined();
  expect(new Set(kube.asked)).toEqual(new Set([path, path.replace('trading', 'other')]));
});

test('what is not there, may not be read, or has a name that nothing has, has no entries', async () => {
  const kube = holding({ [path]: forbidden, [path.replace('trust', 'empty')]: {} });
  const { configMap } = sources(kube);
  for (const name of ['trust', 'empty', 'absent'])
    expect(await configMap('trading', name, 'a')).toBeUndefined();
  kube.asked.length = 0;
  for (const name of ['..', 'a/b', '']) expect(await configMap('trading', name, 'a')).toBeUndefined();
  expect(kube.asked).toEqual([]);
});

test('an API server that does not answer is an error', async () => {
  const kube = holding({ [path]: new KubernetesError('ERR_KUBE_TIMEOUT', 'slow') });
  await expect(sources(kube).configMap('trading', 'trust', 'a')).rejects.toMatchObject({
    code: 'ERR_KUBE_TIMEOUT',
  });
});

test('keys of key management services are opened by their address', async () => {
  await expect(sources(holding()).kms('awskms://nonsense', signal)).rejects.toMatchObject({
    code: 'ERR_KMS_URI_INVALID',
  });
});
