// etcd for the test cluster, spoken to through its JSON gateway.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { request } from 'undici';
import { freePort } from '../ports.ts';
import { type Program, startProgram } from './program.ts';
import { untilReady } from './ready.ts';

export interface Etcd {
  readonly program: Program;
  readonly url: string;
  /** Resolves when it answers and is the one that was started here, by its random name. */
  ready(): Promise<void>;
  /** Number of keys below a prefix. */
  count(prefix: string): Promise<number>;
  /** Forgets all history. */
  compact(): Promise<void>;
}

export async function startEtcd(assets: string, directory: string, host: string): Promise<Etcd> {
  const name = randomBytes(16).toString('hex');
  const url = `http://${host}:${await freePort(host)}`;
  const peer = `http://${host}:${await freePort(host)}`;
  const program = await startProgram({
    path: join(assets, 'etcd'),
    args: [
      `--name=${name}`,
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${name}=${peer}`,
      `--initial-cluster-token=${name}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
    env: { PATH: '/nonexistent', HOME: directory },
    logFile: join(directory, 'etcd.log'),
  });
  return { program, url, ...gateway(url, name, program) };
}

function gateway(url: string, name: string, program: Program): Pick<Etcd, 'ready' | 'count' | 'compact'> {
  const call = async (method: string, body: object): Promise<unknown> => {
    const answer = await request(`${url}/v3/${method}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headersTimeout: 5_000,
      bodyTimeout: 5_000,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`etcd ${method}: ${answer.statusCode} ${text}`);
    return JSON.parse(text);
  };
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const range = async (prefix: string) => {
    const end = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
    const query = { key: base64(prefix), range_end: base64(end), count_only: true };
    return (await call('kv/range', query)) as { count?: string; header: { revision: string } };
  };
  return {
    ready: async () => {
      const answer = (await untilReady('etcd', program, () => call('cluster/member/list', {}))) as {
        members: readonly { name: string }[];
      };
      if (answer.members.length !== 1 || answer.members[0]?.name !== name) {
        throw new Error(`at ${url} there is an etcd that was not started here`);
      }
    },
    count: async (prefix) => Number((await range(prefix)).count ?? 0),
    compact: async () => {
      const { header } = await range('/');
      await call('kv/compaction', { revision: header.revision, physical: true });
    },
  };
}
