import type { Command } from 'commander';
import type { ExportOptions, ImportOptions } from '../keys/import-export.ts';
import { addPasswordFileOption } from '../signing/key-options.ts';

export function registerKey(program: Command): void {
  const key = program.command('key').description('move signing keys from and to other tools');
  const imports = key
    .command('import')
    .description('make a key file and a public key of a private key that another tool made')
    .argument('<file>', 'PEM: PKCS#8, SEC 1, or a key file of cosign (- is standard input)')
    .requiredOption('--out-prefix <path>', 'write PATH.mldsa65.key, PATH.mldsa65.pub and so on');
  addPasswordFileOption(imports)
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
The key is of ML-DSA-65, ML-DSA-87, ECDSA-P256 or ECDSA-P384; ML-DSA keys must hold their seed. A key file of cosign keeps its
password. Nothing is ever overwritten, and the file that was read stays: delete it when it is no longer needed.`,
    )
    .action(runImport);
  const exports = key
    .command('export')
    .description('write the private key of a key file without a password (PEM, PKCS#8)')
    .argument('<file>', 'the key file')
    .requiredOption('--out <file>', 'where to write it, readable by you alone (- is standard output)')
    .option('--public', 'write the public key instead');
  addPasswordFileOption(exports).action(runExport);
}

async function runImport(file: string, options: ImportOptions, command: Command): Promise<void> {
  // Loaded only now: no other command should have to read all of that.
  const { importKey } = await import('../keys/import-export.ts');
  await importKey(file, options, command);
}

async function runExport(file: string, options: ExportOptions, command: Command): Promise<void> {
  const { exportKey } = await import('../keys/import-export.ts');
  await exportKey(file, options, command);
}
