// JSON Patch (RFC 6902), of which no more is used than cannot lose what somebody else has written.

export type JsonPatchOperation =
  /** Of a member that is there already it sets the value (section 4.1); in an array it moves up what comes after. */
  | { readonly op: 'add'; readonly path: string; readonly value: unknown }
  /** The whole patch is void where the value is another. */
  | { readonly op: 'test'; readonly path: string; readonly value: unknown };

export type JsonPatch = readonly JsonPatchOperation[];
