// Who judges images for admission: one for the whole process, so that what it learned serves all who ask.

import type { Policy } from '../../model/mesh.ts';
import type { CredentialSource } from '../../registry/auth/credentials.ts';
import type { Digest } from '../../registry/digest.ts';
import type { ImageReference } from '../../registry/reference.ts';
import type { JudgedImage } from './judge-image.ts';
import type { Asker } from './turns/asker.ts';

/** Who we are to registries, on behalf of one pod. */
export interface PullCredentials {
  /**
   * Equal for equal credentials, and holds none: those who ask about an image at the same time share one look only when
   * nobody is let in, or shut out, by the credentials of another.
   */
  readonly scope: string;
  readonly source: CredentialSource;
  /** Tried in this order where the registry does not take those before. */
  readonly others?: readonly CredentialSource[];
  /** Added to what is said when the registry takes none: a sentence without a full stop. Part of `scope`. */
  readonly hint?: string | undefined;
  /** Of memory that they hold: they are kept, within a bound, together with the tokens got for them. */
  readonly bytes?: number;
}

export interface ImageQuestion {
  readonly reference: ImageReference;
  /** All that hold for the namespace; see policiesForNamespace. */
  readonly policies: readonly Policy[];
  readonly credentials: PullCredentials;
  /** All who do not say are one tenant, and one request. */
  readonly asker?: Asker;
  /** Ends with the time that the API server gives. */
  readonly signal: AbortSignal;
}

export interface ImageJudge {
  /** What cannot be known is an outcome (`unknown`), the end of `signal` included. */
  judge(question: ImageQuestion): Promise<JudgedImage>;
  /**
   * Whether the image must be a digest in a Pod: a signature is demanded of it by what is enforced, or digests are revoked.
   * Of one that is denied whatever it is, nothing need be known. Asks no registry.
   */
  mustBeDigest(reference: ImageReference, policies: readonly Policy[]): boolean;
  /**
   * Whether judging the image takes a registry: one that needs none is let in, or not, while everything else is away. Asks none.
   * @param policies all that hold for the namespace
   */
  needsRegistry(reference: ImageReference, policies: readonly Policy[]): boolean;
  /** What the tag names now. @throws RegistryError; the signal's reason */
  resolve(question: Omit<ImageQuestion, 'policies'>): Promise<Digest>;
}
