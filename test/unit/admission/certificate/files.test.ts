// A certificate of the user's own, in files that somebody else renews.

import { rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type CertificateFiles, watchCertificateFiles } from '../../../../src/admission/certificate/files.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { makeTls, type TlsFiles } from '../../../support/registry/tls.ts';
import { until } from '../../../support/until.ts';

interface Watched extends CertificateFiles {
  readonly said: readonly string[];
  readonly messages: readonly string[];
}

const name = 'trellis-webhook.trellis-system.svc';

async function watch(tls: TlsFiles, now = new Date(), serviceName = name): Promise<Watched> {
  const controller = new AbortController();
  const [said, messages]: [string[], string[]] = [[], []];
  const say = (kind: string, message = ''): void => {
    if (said.includes(kind)) return;
    said.push(kind);
    messages.push(message);
  };
  const files = await watchCertificateFiles({
    ...{ certificate: tls.certFile, key: tls.keyFile, serviceName, signal: controller.signal, pollMs: 1 },
    clock: {
      now: () => now,
      monotonic: () => 0,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    report: {
      failed: ({ code, message }) => say(code, message),
      warning: ({ kind, message }) => say(kind, message),
      changed: () => say('changed'),
      expiry: (certificate) => say(`expiry ${certificate}`),
    },
  });
  onEnd(async () => {
    controller.abort();
    await files.ended;
  });
  return { ...files, said, messages };
}

test('what is in the files is served, and what is in them later', async () => {
  const [tls, next] = [await makeTls(name), await makeTls(name)];
  const { source, said } = await watch(tls);
  expect(source.current()).toEqual({ certificate: tls.cert, key: tls.key });
  const seen: string[] = [];
  source.onChange(({ certificate }) => seen.push(certificate));
  await writeFile(tls.certFile, next.cert);
  await writeFile(tls.keyFile, next.key);
  await until('the change', () => seen.length > 0);
  // Never half of each.
  expect(seen).toEqual([next.cert]);
  expect(source.current()).toEqual({ certificate: next.cert, key: next.key });
  expect(said.filter((word) => !word.startsWith('ERR'))).toEqual(['expiry leaf', 'changed']);
});

test.each<[string, (tls: TlsFiles) => Promise<void>, string]>([
  ['is gone', ({ keyFile }) => rm(keyFile), 'cannot be read (ENOENT)'],
  ['is another’s key', async ({ keyFile }) => writeFile(keyFile, (await makeTls()).key), 'is not the key'],
  ['is no key', ({ keyFile, cert }) => writeFile(keyFile, cert), 'holds no unencrypted private key'],
  [
    'holds a key in the certificate’s place',
    ({ certFile, key }) => writeFile(certFile, key),
    'holds no certificate',
  ],
  ['is too large', ({ certFile, cert }) => writeFile(certFile, cert.repeat(1_000)), 'bytes'],
])(
  'a file that %s: what was served is served on; there is no beginning with it',
  async (_what, damage, problem) => {
    const tls = await makeTls(name);
    const { source, said, messages } = await watch(tls);
    await damage(tls);
    await until('the report', () => said.includes('ERR_SERVING_CERTIFICATE_FILES'));
    expect(messages.at(-1)).toContain(problem);
    expect(messages.join()).not.toContain('PRIVATE KEY');
    expect(source.current()).toEqual({ certificate: tls.cert, key: tls.key });
    await expect(watch(tls)).rejects.toMatchObject({ code: 'ERR_SERVING_CERTIFICATE_FILES' });
  },
);

test.each<[string, Date, string]>([
  ['expired', new Date('2099-01-01'), name],
  ['not-yet-valid', new Date('2001-01-01'), name],
  ['wrong-name', new Date(), 'other.trellis-system.svc'],
])('%s: served, with a warning', async (kind, now, serviceName) => {
  const tls = await makeTls(name);
  const { source, said } = await watch(tls, now, serviceName);
  expect(said).toEqual(['expiry leaf', kind]);
  expect(source.current().certificate).toBe(tls.cert);
});

test('a certificate without the name of the Service says which it has, and who refuses it', async () => {
  const { messages } = await watch(await makeTls('webhook.example'), new Date(), name);
  expect(messages.at(-1)).toMatch(
    /is for .*DNS:webhook\.example.*, and not for trellis-webhook\.trellis-system\.svc: API servers that call through that Service refuse it/,
  );
  expect(messages.at(-1)).not.toContain('nothing is admitted');
});
