// What people look up by the code of a denial has to be there.

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { findingCodes } from '../../../src/admission/decision.ts';

test('the documentation has a table of all codes of findings, and of no others', async () => {
  const text = await readFile(new URL('../../../docs/admission.md', import.meta.url), 'utf8');
  const section = text.split('\n## ').find((each) => each.startsWith('Findings\n')) ?? '';
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, code]) => code);
  expect(rows).toEqual([...findingCodes]);
});
