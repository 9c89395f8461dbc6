// Puts `trellis` into node_modules/.bin, where npm puts the programs of dependencies but not the package's own; npx looks
// there. With a "bin" in package.json instead, npx would first install this checkout into its cache: ten seconds, and
// `prepare` once more.

import { rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '../node_modules/.bin');
const fresh = join(bin, `.trellis-${process.pid}`);
try {
  await symlink('../../bin/trellis.js', fresh);
  await rename(fresh, join(bin, 'trellis'));
} finally {
  await rm(fresh, { force: true });
}
