import type { Command } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { probeCryptoSupport } from '../crypto-support.ts';
import { print } from '../output.ts';

/** What `trellis version --json` prints. */
interface VersionReport {
  readonly version: string;
  readonly node: string;
  readonly openssl: string;
  readonly mlKem: boolean;
  readonly mlDsa: boolean;
}

function versionReport(): VersionReport {
  return {
    version: manifest.version,
    node: process.versions.node,
    openssl: process.versions.openssl,
    ...probeCryptoSupport(),
  };
}

function describe(report: VersionReport): string {
  const has = (supported: boolean): string => (supported ? 'yes' : 'NO');
  return [
    `trellis ${report.version}`,
    `node ${report.node}, OpenSSL ${report.openssl}`,
    `ML-KEM ${has(report.mlKem)}, ML-DSA ${has(report.mlDsa)}`,
  ].join('\n');
}

export function registerVersion(program: Command): void {
  program
    .command('version')
    .description('say which trellis, Node.js and OpenSSL this is, and whether they can do ML-KEM and ML-DSA')
    .option('--json', 'print one JSON object')
    .action((options: { json?: true }, command: Command) => {
      const report = versionReport();
      print(command, options.json ? JSON.stringify(report) : describe(report));
    });
}
