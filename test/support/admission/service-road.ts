// What a Service does with connections: one replica after the other, and none to those that are taken out.

import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';

export interface ServiceRoad extends TcpProxy {
  /** What happens to a pod that ends or is not ready: it gets no new connections, and keeps those it has. */
  withdraw(replica: number): void;
  restore(replica: number): void;
}

/** @param ports of the replicas, on `host` */
export async function startServiceRoad(host: string, ports: readonly number[]): Promise<ServiceRoad> {
  const withdrawn = new Set<number>();
  let turn = 0;
  const proxy = await startTcpProxy(host, () => {
    const open = ports.filter((_, index) => !withdrawn.has(index));
    turn++;
    return open[turn % Math.max(open.length, 1)];
  });
  return {
    ...proxy,
    withdraw: (replica) => void withdrawn.add(replica),
    restore: (replica) => void withdrawn.delete(replica),
  };
}
