// Finds or installs the programs the tests need and prints where they are:
//
//   node scripts/tools.ts [--json] [envoy] [java] [maven] [go] [docker-registry] [oci-registry] [cosign] [kube] [helm] [faketime]
//
// Standard output has one path a line (with --json one object), standard error says what is done. Ends with 1 when
// a program is missing. Envoy, Go and what is built with Go go into the cache directory (TRELLIS_CACHE, else
// ~/.cache/trellis); Debian packages are installed only as root where CI is set.

import { parseArgs } from 'node:util';
import { ToolError } from '../src/cli/tools/errors.ts';
import { catalogue, type ToolName } from './tools/catalogue.ts';
import { mayInstallPackages, provide } from './tools/provide.ts';
import type { Tool } from './tools/tool.ts';

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const known = Object.keys(catalogue) as ToolName[];
const unknown = positionals.filter((name) => !known.some((tool) => tool === name));
if (unknown.length > 0) {
  console.error(`tools: unknown: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}

const search = { env: process.env, log: (line: string) => console.error(`tools: ${line}`) };
const options = { installPackages: mayInstallPackages(process.env, process.getuid?.()) };
const found: Partial<Record<ToolName, Tool>> = {};
// One after the other: apt-get allows only one of itself at a time.
for (const name of known.filter((tool) => positionals.length === 0 || positionals.includes(tool))) {
  try {
    found[name] = await provide(name, search, options);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    console.error(`tools: MISSING: ${error.message}`);
    process.exitCode = 1;
  }
}
if (values.json) console.log(JSON.stringify(found));
else for (const tool of Object.values(found)) console.log(tool.path);
