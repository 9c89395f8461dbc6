// Fields that the API server writes as null, or leaves out, where they are empty.

import { z } from 'zod';

/** No object that fits into etcd has more containers, volumes, ports or rules; bounds the work that one can ask for. */
const maxItems = 10_000;

export const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .max(maxItems)
    .nullish()
    .transform((items) => items ?? []);

export const stringMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});
