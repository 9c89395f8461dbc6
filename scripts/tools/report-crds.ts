// The kinds in which policy reports are written, as their projects publish them in Go modules.

import type { ToolSearch } from '../../src/cli/tools/envoy.ts';
import { filesFromModules, type GoModule } from './module-files.ts';
import type { Tool } from './tool.ts';

const modules: readonly GoModule[] = [
  {
    module: 'github.com/openreports/reports-api',
    version: 'v0.2.1',
    sum: 'h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680=',
    files: [{ from: 'config/crd/openreports.io_reports.yaml', to: 'openreports.yaml' }],
  },
  {
    module: 'sigs.k8s.io/wg-policy-prototypes',
    version: 'v0.0.0-20230505033312-51c21979086a',
    sum: 'h1:tbASfGvbUgbwsJuh9T0+IZ0hhUNOkryo9Vquv1vjw+o=',
    files: [
      { from: 'policy-report/crd/v1alpha2/wgpolicyk8s.io_policyreports.yaml', to: 'policyreports.yaml' },
    ],
  },
];

/** Of the cache entry: other modules or files make another one. */
const version = '2025-09-08';

/** A directory with openreports.yaml and policyreports.yaml: TRELLIS_REPORT_CRDS, else the cache. @throws ToolError */
export async function findReportCrds(search: ToolSearch): Promise<Tool> {
  const given = search.env['TRELLIS_REPORT_CRDS'];
  const path = given || (await filesFromModules({ entry: `report-crds-${version}`, modules }, search));
  search.log(`report-crds: ${version} at ${path}`);
  return { path, version };
}
