// Whether a policy could ask for the keys that sign together.

import type { PublicKey } from '../../signing/keys/public-key.ts';
import { CliError } from '../errors.ts';

/** Of a keyset in a QuantumSecurityPolicy; its schema says so. */
const maxKeysetKeys = 4;

/**
 * A signature counts for a keyset that has exactly its keys, and keysets have one key for each algorithm: of others nobody could make use.
 * @throws CliError ERR_USAGE
 */
export function refuseKeysOfNoKeyset(keys: readonly Pick<PublicKey, 'algorithm'>[]): void {
  const algorithms = keys.map(({ algorithm }) => algorithm);
  const twice = algorithms.find((algorithm, index) => algorithms.indexOf(algorithm) !== index);
  if (twice === undefined && keys.length <= maxKeysetKeys) return;
  const what = twice === undefined ? `these are ${keys.length} keys` : `two of these keys are of ${twice}`;
  throw new CliError(
    'ERR_USAGE',
    `${what}: a keyset of a policy has one key for each algorithm, and ${maxKeysetKeys} at most, so that none could ask for what they sign together`,
    { hint: 'sign once with the keys of each keyset' },
  );
}
