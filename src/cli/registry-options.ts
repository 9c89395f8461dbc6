// The options of every command that speaks to registries, and the client they make.

import { stat } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CredentialSource } from '../registry/auth/credentials.ts';
import type { RegistryAccess, RegistryClient } from '../registry/client.ts';
import { defaultRegistryLimits } from '../registry/limits.ts';
import { parseRegistry } from '../registry/reference.ts';
import type { TransportOptions } from '../registry/transport.ts';
import { CliError } from './errors.ts';
import { namingFile, readNamedFile } from './named-file.ts';
import { collect, duration } from './options.ts';

/** A bundle of all public CAs has 200 KB. */
const maxCaBytes = 4 * 1024 * 1024;

type Mirrors = Readonly<Record<string, readonly string[]>>;

export interface RegistryClientOptions {
  readonly registryCa?: readonly string[];
  readonly registryMirror?: Mirrors;
  readonly plainHttp?: readonly string[];
  readonly dockerConfig?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

/**
 * Adds the options whose values `registryClientOf` reads; returns the command.
 * @param use signing: no mirrors, or whoever runs one would choose what is signed for the registry
 */
export function addRegistryOptions(command: Command, use: 'reading' | 'signing' = 'reading'): Command {
  if (use === 'reading') addMirrorOption(command);
  return command
    .addOption(
      new Option(
        '--registry-ca <file>',
        'trust this CA for registries, too (PEM); can be given again',
      ).argParser(collect),
    )
    .addOption(
      new Option('--plain-http <host>', 'speak to this registry without TLS; can be given again').argParser(
        plainHost,
      ),
    )
    .option(
      '--docker-config <directory>',
      'where config.json with the credentials is (default: DOCKER_CONFIG, then ~/.docker)',
    )
    .addOption(
      new Option('--timeout <duration>', 'how long one request to a registry may take')
        .argParser(duration)
        .default(defaultRegistryLimits.requestMs, '1m'),
    );
}

function addMirrorOption(command: Command): void {
  command.addOption(
    new Option(
      '--registry-mirror <registry=host>',
      'read from HOST or HOST/PATH first; can be given again, and is never written to',
    ).argParser(mirror),
  );
}

/** Proxies come from the environment. @throws CliError, RegistryError */
export async function registryClientOf(options: RegistryClientOptions): Promise<RegistryClient> {
  return (await registryAccessOf(options)).client;
}

/** @throws CliError, RegistryError */
export async function registryAccessOf(options: RegistryClientOptions): Promise<RegistryAccess> {
  // Loaded only now: no other command should have to read an HTTP client.
  const { createRegistryAccess } = await import('../registry/client.ts');
  return createRegistryAccess({
    ...(await transportOptionsOf(options)),
    credentials: await credentialsOf(options),
  });
}

/** What the options say, apart from who we are. @throws CliError */
export async function transportOptionsOf(options: RegistryClientOptions): Promise<TransportOptions> {
  const { registryCa = [], registryMirror, plainHttp, timeout } = options;
  const { proxiesOf } = await import('../registry/http/proxy.ts');
  const ca = await Promise.all(registryCa.map(readCa));
  return {
    proxyFor: proxiesOf(process.env),
    ...(ca.length > 0 && { ca: ca.join('\n') }),
    ...(registryMirror && { mirrors: registryMirror }),
    ...(plainHttp && { plainHttp }),
    ...(timeout !== undefined && { limits: { requestMs: timeout, headersMs: timeout } }),
  };
}

/** Of whoever runs the process. */
export async function credentialsOf({
  dockerConfig: directory,
}: Pick<RegistryClientOptions, 'dockerConfig'>): Promise<CredentialSource> {
  if (directory !== undefined) await refuseMissing(directory);
  const { dockerCredentials } = await import('../registry/auth/docker-config.ts');
  return dockerCredentials({ env: process.env, directory });
}

/** Credentials that are not found are none, and a registry would be blamed for what it says to anybody. */
async function refuseMissing(directory: string): Promise<void> {
  const what = '--docker-config';
  const isDirectory = await namingFile(what, directory, async () => (await stat(directory)).isDirectory());
  if (isDirectory) return;
  throw new CliError('ERR_USAGE', `${what} ${directory}: it is a file`, {
    hint: 'give the directory that config.json is in',
  });
}

async function readCa(file: string): Promise<string> {
  return (await readNamedFile('the CA file', file, maxCaBytes)).toString('utf8');
}

function plainHost(value: string, before: readonly string[] | undefined): readonly string[] {
  return collect(registryName(value), before);
}

function mirror(value: string, before: Mirrors | undefined): Mirrors {
  const [registry = '', ...rest] = value.split('=');
  const place = rest.join('=');
  if (place === '') throw new InvalidArgumentError('give REGISTRY=HOST, as in docker.io=mirror.example/hub.');
  const name = registryName(registry);
  return { ...before, [name]: [...(before?.[name] ?? []), place] };
}

function registryName(text: string): string {
  try {
    return parseRegistry(text);
  } catch {
    throw new InvalidArgumentError('give the name of a registry, HOST or HOST:PORT.');
  }
}
