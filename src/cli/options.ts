// Values of command-line options, from text.

import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { parseTrustDomain } from '../crypto/spiffe-id.ts';
import { maxSvidLifetimeMs, minSvidLifetimeMs } from '../identity/lifetimes.ts';
import { parseDuration } from '../model/duration.ts';
import type { NamespacedName } from '../model/mesh.ts';
import { isDnsLabel } from '../model/names.ts';
import { type LogLevel, logLevels } from '../telemetry/logger.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

const maxPort = 65_535;

/** `127.0.0.1:15010`, `[::1]:15010`, `control-plane.trellis-system.svc:15010` */
export function address(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]/]+)):([0-9]{1,5})$/.exec(text);
  const [, v6, name, digits] = match ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || !(port <= maxPort) || (v6 !== undefined && isIP(v6) !== 6)) {
    throw new InvalidArgumentError('give HOST:PORT, as in 127.0.0.1:15010 or [::1]:15010.');
  }
  return { host, port };
}

export function port(text: string): number {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value < 1 || value > maxPort)
    throw new InvalidArgumentError(`give a number from 1 to ${maxPort}.`);
  return value;
}

/** Milliseconds of `30s`, `10m`, `1h30m`. */
export function duration(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value === 0)
    throw new InvalidArgumentError('give a duration such as 30s, 10m or 1h30m.');
  return value;
}

/** RFC 1123 label and subdomain, as Kubernetes names namespaces and pods. */
const workloadPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function workload(text: string): NamespacedName {
  if (!workloadPattern.test(text))
    throw new InvalidArgumentError('give NAMESPACE/POD, as in trading/gateway.');
  return text as NamespacedName;
}

/** RFC 1123 label, as Kubernetes names namespaces. */
export function namespaceName(text: string): string {
  if (!isDnsLabel(text)) throw new InvalidArgumentError('give the name of a namespace, as in trading.');
  return text;
}

/** Of an option that can be given again: all its values. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function trustDomain(text: string): string {
  try {
    return parseTrustDomain(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

export function logLevel(text: string): LogLevel {
  const level = logLevels.find((each) => each === text);
  if (level === undefined) throw new InvalidArgumentError(`choose one of ${logLevels.join(', ')}.`);
  return level;
}

/** Milliseconds. */
export function svidLifetime(text: string): number {
  const value = duration(text);
  if (value < minSvidLifetimeMs || value > maxSvidLifetimeMs) {
    throw new InvalidArgumentError('an identity lives from 10s to 24h.');
  }
  return value;
}
