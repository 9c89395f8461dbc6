#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain JavaScript in an old dialect, because an old system Node
// may be what reads this file: it then hands over to the Node that `npm ci` put beside the sources.

import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const needed = [24, 15];

function newEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

/** The Node of the checkout, unless it is the one that is running already. */
function ownNode() {
  const path = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
  return existsSync(path) && realpathSync(path) !== realpathSync(process.execPath) ? path : undefined;
}

/** Runs the same command line on `node`: same files, same environment, same end. */
function handOver(node) {
  const script = fileURLToPath(import.meta.url);
  const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'];
  // Before the start, or a signal in between would end us alone.
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  const child = spawn(node, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.on('error', (error) => {
    process.stderr.write(`trellis: cannot start ${node}: ${error.message}\n`);
    process.exit(69);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? 70 : code);
    // Die of the same signal, so that whoever started us sees what happened.
    for (const name of forwarded) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

if (newEnough(process.versions.node)) {
  const { keepCompiledCode } = await import('../src/cli/compile-cache.ts');
  keepCompiledCode(process.env);
  const { start } = await import('../src/cli/main.ts');
  await start();
} else {
  const node = ownNode();
  if (node === undefined) {
    process.stderr.write(
      `trellis: needs Node.js ${needed.join('.')} or later, this is ${process.version} (${process.execPath})\n` +
        '  run `npm ci` in the checkout, which brings a Node.js of its own, or install a newer one\n',
    );
    process.exit(69);
  }
  handOver(node);
}
