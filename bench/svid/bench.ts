// How many SVIDs one core can issue, beside how many signatures it can make.

import type { Bench } from '../measure/bench.ts';
import { node, Program } from '../measure/program.ts';
import type { Section } from '../measure/row.ts';
import type { IssuedInARound } from './issuer.ts';

export async function benchSvid(bench: Bench): Promise<Section> {
  const program = await Program.start({ name: 'issuer', ...node(new URL('./issuer.ts', import.meta.url)) });
  const round = async (): Promise<IssuedInARound> => {
    program.send('round');
    return JSON.parse(await program.line()) as IssuedInARound;
  };
  try {
    await round();
    const rounds: IssuedInARound[] = [];
    for (let i = 0; i < bench.rounds; i++) rounds.push(await round());
    return {
      title: 'SVIDs',
      note:
        "Per second of one core's CPU. Issuing verifies the request's own ML-DSA-65 signature, counter-signs with ECDSA P-256 and signs with ML-DSA-65; " +
        'the peer only signs with ML-DSA-65, 4 KB at a time.',
      rows: [
        {
          what: 'SVIDs issued',
          unit: '/s',
          ours: rounds.map(({ issued }) => issued),
          peer: { name: 'bare ML-DSA-65 signatures', values: rounds.map(({ signed }) => signed) },
          goal: { of: 'ratio', atLeast: 0.7 },
        },
      ],
    };
  } finally {
    await program.stop();
  }
}
