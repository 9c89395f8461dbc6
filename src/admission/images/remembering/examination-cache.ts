// Signatures that were found good, so that an image is fetched once and not for each of its pods. What is remembered is that
// certain keys signed certain bytes, which nothing can make untrue; what follows from it is concluded anew by whoever asks.

import { LRUCache } from 'lru-cache';
import type { Digest } from '../../../registry/digest.ts';
import type { Statement } from '../../../signing/format/statement.ts';
import type { Examination } from '../../../signing/verify/examination.ts';
import type { Examined } from '../../../signing/verify/examine.ts';
import { isYoung } from '../../sharing/remembered.ts';
import type { ConditionOutcomes } from './condition-outcomes.ts';
import { heapBytes } from './heap-size.ts';

/** No tag: what it names changes. */
export interface ExaminationKey {
  readonly digest: Digest;
  /** `registry/path` */
  readonly repository: string;
  readonly fingerprint: string;
}

export interface ExaminationCache {
  get(key: ExaminationKey): Examination | undefined;
  /**
   * Keeps the signatures that count, and nothing of what else hung on the image; of large predicates only what conditions have come
   * to. To be called with what a verdict that is `ok` was
   * drawn from, and nothing else.
   * @param since when the registry was asked
   */
  keep(key: ExaminationKey, examination: Examination, since: Date): void;
  /** To be called where conditions may have been asked about what was got: what they came to takes memory, too. */
  weigh(key: ExaminationKey): void;
  /** What conditions came to holds for the same bytes in another look, however long ago it was. */
  recognise(key: ExaminationKey, examined: readonly Examined[]): void;
  readonly entries: number;
  /** Of memory, estimated. */
  readonly bytes: number;
}

export interface ExaminationCacheOptions {
  readonly maxBytes: number;
  readonly lifeMs: number;
  readonly now: () => Date;
  /** That the verifiers of the same process evaluate conditions with. */
  readonly outcomes: ConditionOutcomes;
}

type Predicate = Statement['predicate'];

interface Kept {
  readonly examined: readonly Examined[];
  readonly since: number;
  /** Without the outcomes of conditions, which come later. */
  readonly bytes: number;
}

/** Of the memory: an image has many fewer signatures that count than would take so much, and one must not push out the others. */
const maxEntryShare = 1 / 16;
/**
 * Of one entry, for predicates: about what provenance has. An SBOM takes up to a hundred times as much, and is read again when a
 * condition is new.
 */
const maxPredicateBytes = 256 * 1024;

export function createExaminationCache(options: ExaminationCacheOptions): ExaminationCache {
  const { maxBytes, lifeMs, now, outcomes } = options;
  const kept = new LRUCache<string, Kept>({
    maxSize: maxBytes,
    maxEntrySize: Math.floor(maxBytes * maxEntryShare),
  });

  function set(text: string, entry: Kept): void {
    const conditions = new Set(
      entry.examined.map(({ counted }) => counted && outcomes.known(counted.statement.predicate)),
    );
    let size = entry.bytes + text.length;
    for (const each of conditions) size += each?.bytes ?? 0;
    // Another object: the size of the same one would not be looked at.
    kept.set(text, { ...entry }, { size });
  }

  function weigh(text: string): void {
    const entry = kept.peek(text);
    if (entry !== undefined) set(text, entry);
  }

  return {
    get: (key) => {
      const found = kept.get(textOf(key));
      if (found === undefined || !isYoung(found.since, lifeMs, now())) return undefined;
      // There may be more on the image than what made a verdict once.
      return { examined: found.examined, failures: [], isComplete: false };
    },
    keep: (key, { examined }, since) => {
      const text = textOf(key);
      const counted = examined.filter((each) => each.counted !== undefined);
      const before = kept.peek(text);
      // All who waited for one look bring its result.
      if (before?.since === since.getTime() && before.examined.length >= counted.length) return weigh(text);
      set(text, { ...slimmed(counted, outcomes), since: since.getTime() });
    },
    weigh: (key) => weigh(textOf(key)),
    recognise: (key, examined) => {
      const before = new Map<string, Predicate>();
      for (const { counted } of kept.peek(textOf(key))?.examined ?? []) {
        if (counted !== undefined) before.set(counted.payloadId, counted.statement.predicate);
      }
      for (const { counted } of examined) {
        if (counted === undefined) continue;
        const known = before.get(counted.payloadId);
        if (known !== undefined) outcomes.adopt(counted.statement.predicate, known);
      }
    },
    get entries() {
      return kept.size;
    },
    get bytes() {
      return kept.calculatedSize;
    },
  };
}

/** Each payload once, however many have signed it, and without predicates that there is no room for. */
function slimmed(
  examined: readonly Examined[],
  outcomes: ConditionOutcomes,
): Pick<Kept, 'examined' | 'bytes'> {
  const statements = new Map<string, Statement>();
  let predicateBytes = 0;
  const slim = (statement: Statement): Statement => {
    const room = maxPredicateBytes - predicateBytes;
    const bytes = heapBytes(statement.predicate, room);
    if (bytes > room) return { ...statement, predicate: outcomes.standIn(statement.predicate) };
    predicateBytes += bytes;
    return statement;
  };
  const kept = examined.map(({ report, counted }) => {
    if (counted === undefined) return { report, counted };
    const statement = statements.get(counted.payloadId) ?? slim(counted.statement);
    statements.set(counted.payloadId, statement);
    return { report, counted: { ...counted, statement } };
  });
  return { examined: kept, bytes: predicateBytes + bytesOf(kept) };
}

/** The entry in the cache, its key, and the list. */
const entryBytes = 512;
/** Of one signature: the records that it is kept in, digests, names of keys. */
const signatureBytes = 1_280;

/** Without predicates. */
function bytesOf(examined: readonly Examined[]): number {
  return entryBytes + examined.length * signatureBytes + heapBytes(examined.map(contentOf));
}

/** What its author decides the length of. Keys and rules about certificates are those of the policies: see policies/trust-pool.ts. */
function contentOf({ report, counted }: Examined): readonly unknown[] {
  if (counted === undefined) return [];
  const { statement, by } = counted;
  const { predicateType, annotations } = statement;
  const certificates = by.kind === 'certificate' ? [...by.acceptedBy.values()] : [];
  return [report.reason, predicateType, annotations, statement.binding?.signers, certificates];
}

function textOf({ digest, repository, fingerprint }: ExaminationKey): string {
  return `${digest} ${repository} ${fingerprint}`;
}
