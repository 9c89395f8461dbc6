// One image against all demands on it.

import type { RegistryClient } from '../../registry/client.ts';
import type { Digest } from '../../registry/digest.ts';
import { formatReference, type ImageReference, repositoryName } from '../../registry/reference.ts';
import { oneLook } from '../../signing/verify/one-look.ts';
import type { SignatureReport, Verdict } from '../../signing/verify/verdict.ts';
import type { Verifier } from '../../signing/verify/verifier.ts';
import type { Demand, Demands } from './demands.ts';

export interface MetDemand {
  readonly demand: Demand;
  readonly ok: boolean;
  /** Sentences: what is missing, or what was found. */
  readonly reasons: readonly string[];
  readonly verdict: Verdict | undefined;
}

export interface JudgedImage {
  readonly image: string;
  /** Every demand that is enforced is met. */
  readonly ok: boolean;
  /** Undefined when nobody asked for a signature, so that the registry was not asked. */
  readonly digest: Digest | undefined;
  readonly demands: readonly MetDemand[];
  /** Every bundle that was looked at. */
  readonly signatures: readonly SignatureReport[];
}

export interface JudgeOptions {
  readonly verifier: Verifier;
  readonly client: RegistryClient;
  readonly demands: Demands;
  readonly now: () => Date;
  readonly deadlineMs: number | undefined;
  /** Look at every referrer, for a complete list. */
  readonly exhaustive: boolean;
  /** Attestations are asked about by themselves, whether or not the image is signed. */
  readonly attestationsOnly: boolean;
}

/** @throws SigningError, RegistryError */
export async function judgeImage(reference: ImageReference, options: JudgeOptions): Promise<JudgedImage> {
  const { verifier, demands, now, deadlineMs, exhaustive } = options;
  const client = oneLook(options.client);
  const met: MetDemand[] = [];
  let digest = reference.digest;
  // One after the other, with the digest that the first one found: a tag is resolved once.
  for (const demand of await demands(repositoryName(reference))) {
    if (demand.kind === 'deny') {
      met.push({ demand, ok: false, reasons: [demand.reason], verdict: undefined });
      continue;
    }
    if (demand.kind === 'allow') {
      if (demand.revokedDigests.size > 0) digest ??= (await client.resolve(reference)).digest;
      met.push(allowed(demand, digest));
      continue;
    }
    const verdict = await verifier.verify({
      reference: { ...reference, digest },
      policy: demand.policy,
      client,
      now,
      deadlineMs,
      exhaustive,
    });
    digest = verdict.digest;
    met.push(ofVerdict(demand, verdict, options.attestationsOnly));
  }
  return {
    image: formatReference(reference),
    ok: met.every(({ ok, demand }) => ok || demand.enforcement !== 'enforce'),
    digest,
    demands: met,
    signatures: mergeReports(met),
  };
}

function allowed(demand: Extract<Demand, { kind: 'allow' }>, digest: Digest | undefined): MetDemand {
  return digest !== undefined && demand.revokedDigests.has(digest)
    ? { demand, ok: false, reasons: [`${digest} is revoked; use another image`], verdict: undefined }
    : { demand, ok: true, reasons: ['allowed without a signature'], verdict: undefined };
}

function ofVerdict(demand: Demand, verdict: Verdict, attestationsOnly: boolean): MetDemand {
  const authorities = [
    ...(attestationsOnly ? [] : verdict.authorities),
    ...verdict.attestations.flatMap((attestation) =>
      attestation.authorities.map((authority) => ({
        ...authority,
        reason: `attestation ${attestation.predicateType}: ${authority.reason}`,
      })),
    ),
  ];
  const ok = authorities.length > 0 && authorities.every((authority) => authority.ok);
  const told = ok ? authorities : authorities.filter((authority) => !authority.ok);
  return { demand, ok, reasons: told.map(({ reason }) => reason), verdict };
}

/** A bundle may be good for one policy and mean nothing to another: the best that any of them says. */
function mergeReports(met: readonly MetDemand[]): readonly SignatureReport[] {
  const reports = new Map<string, SignatureReport>();
  for (const report of met.flatMap(({ verdict }) => verdict?.signatures ?? [])) {
    const before = reports.get(report.manifest);
    if (before === undefined || (!before.ok && report.ok)) reports.set(report.manifest, report);
  }
  return [...reports.values()];
}
