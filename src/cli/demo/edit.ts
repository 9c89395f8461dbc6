// Editing a manifest as a careful editor does: the new content appears at once, by a rename from outside the watched
// directory.

import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Document, parseAllDocuments } from 'yaml';

/** The directory of manifests that the control plane watches. */
export class ManifestEditor {
  readonly #manifests: string;
  readonly #staging: string;
  readonly #originals = new Map<string, string>();

  /** @param staging a directory on the same file system that nobody watches */
  constructor(manifests: string, staging: string) {
    this.#manifests = manifests;
    this.#staging = staging;
  }

  /** Replaces a file's text. Resolves to the moment (`performance.now()`) just before the file changed. */
  async write(path: string, text: string): Promise<number> {
    const target = join(this.#manifests, path);
    if (!this.#originals.has(path)) this.#originals.set(path, await readFile(target, 'utf8'));
    const staged = join(this.#staging, `edit-${randomUUID()}`);
    try {
      await writeFile(staged, text, { mode: 0o600 });
      const at = performance.now();
      await rename(staged, target);
      return at;
    } catch (error) {
      await rm(staged, { force: true });
      throw error;
    }
  }

  /** Changes one object in a file and leaves the rest of it, comments too, as it is. */
  async change(path: string, kind: string, edit: (object: Document) => void): Promise<number> {
    return await this.write(path, changeObject(await this.read(path), kind, edit));
  }

  read(path: string): Promise<string> {
    return readFile(join(this.#manifests, path), 'utf8');
  }

  /** Puts a file back as it was before the first edit. */
  async restore(path: string): Promise<number> {
    const original = this.#originals.get(path);
    if (original === undefined) throw new Error(`${path} was not edited`);
    const at = await this.write(path, original);
    this.#originals.delete(path);
    return at;
  }
}

/** @throws Error when the text has no object of that kind */
export function changeObject(text: string, kind: string, edit: (object: Document) => void): string {
  const documents = parseAllDocuments(text);
  const found = documents.find((document) => document.get('kind') === kind);
  if (found === undefined) throw new Error(`there is no ${kind} to edit`);
  edit(found);
  // Long flow lists stay on their line, so that the edit is one line of a diff.
  return documents.map((document) => document.toString({ lineWidth: 0 })).join('');
}
