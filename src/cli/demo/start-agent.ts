// Starts the agent of one workload, and starts it again after a crash.

import { connect } from 'node:net';
import type { Launcher } from './launcher.ts';
import type { RunningProcess } from './processes.ts';
import { agentProgram, type ControlPlanePlace, tokenProgram } from './programs.ts';
import type { WorkloadAgent } from './running-mesh.ts';
import type { DemoService } from './services.ts';

/** Where every agent reports on itself, on its workload's own address. */
export const agentMetricsPort = 15020;

/** Resolves when it serves its socket. */
export async function startAgent(
  launcher: Launcher,
  place: ControlPlanePlace,
  workload: Pick<DemoService, 'namespace' | 'pod' | 'address'>,
): Promise<WorkloadAgent> {
  const { namespace, pod, address } = workload;
  const name = `agent ${pod}`;
  const socket = launcher.socket(pod);
  const metrics = `${address}:${agentMetricsPort}`;
  /** Each start needs a join token of its own: it admits one agent, whose keys die with it. */
  const start = async (): Promise<{ readonly process: RunningProcess; readonly at: number }> => {
    const token = await launcher.run(`token ${pod}`, tokenProgram(place.state, `${namespace}/${pod}`));
    const program = agentProgram(place, socket, metrics);
    const at = performance.now();
    return { process: launcher.start(name, program, { input: `${token}\n` }), at };
  };
  let current = await start();
  await launcher.wait(name, `the agent of ${pod} to serve its socket`, () => isServed(socket));
  return {
    socket,
    metrics,
    get process() {
      return current.process;
    },
    restart: async () => {
      current = await start();
      return current.at;
    },
  };
}

function isServed(socket: string): Promise<true> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    connection.on('error', reject);
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
  });
}
