// envoy.service.discovery.v3.DeltaDiscoveryRequest, decoded by hand: of `node`, a proxy's claims about itself that run to
// a hundred kilobytes, not one byte is read, and an acknowledgement costs a microsecond.

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { GrpcError, status } from '../grpc/status.ts';
import { RecentRequests } from './recent-requests.ts';

export interface DiscoveryRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Resources the client already has, by name; on the first request for a type in a stream. */
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Of the response that is acknowledged, or rejected where there is an error; empty when this is neither. */
  readonly nonce: string;
  /** Why the client rejected the response. */
  readonly error: string | undefined;
}

/** Names in one request, over all its lists: far above any mesh, far below what would hurt. */
export const maxNamesPerRequest = 50_000;

/** Envoy's own limit for a name is 60 (clusters) to 8192 (headers) bytes; ours are well under this. */
const maxNameChars = 1024;

/** Of an error message, what is kept: it quotes configuration and goes to logs and status conditions. */
const maxErrorChars = 4096;

const recent = new RecentRequests<DiscoveryRequest>();

/** Throws INVALID_ARGUMENT for anything malformed and RESOURCE_EXHAUSTED over the limits. */
export function decodeDiscoveryRequest(message: Uint8Array): DiscoveryRequest {
  const known = recent.find(message);
  if (known !== undefined) return known;
  try {
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
    const request = decode(new BinaryReader(message), bytes);
    recent.remember(message, request);
    return request;
  } catch (error) {
    if (error instanceof GrpcError) throw error;
    throw new GrpcError(status.invalidArgument, 'this is no DeltaDiscoveryRequest', { cause: error });
  }
}

function decode(reader: BinaryReader, bytes: Buffer): DiscoveryRequest {
  let typeUrl = '';
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  const initialVersions = new Map<string, string>();
  let nonce = '';
  let error: string | undefined;
  let names = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field < 2 || field > 9) {
      reader.skip(wireType, field);
      continue;
    }
    if (wireType !== WireType.LengthDelimited) throw new Error(`field ${field} has wire type ${wireType}`);
    if (field >= 3 && field <= 5) {
      names += 1;
      if (names > maxNamesPerRequest)
        throw new GrpcError(status.resourceExhausted, `more than ${maxNamesPerRequest} names in one request`);
    }
    switch (field) {
      case 2:
        typeUrl = reader.string();
        break;
      case 3:
        subscribe.push(checkName(text(reader, bytes)));
        break;
      case 4:
        unsubscribe.push(checkName(text(reader, bytes)));
        break;
      case 5:
        readVersion(subReader(reader), initialVersions);
        break;
      case 6:
        nonce = reader.string();
        break;
      case 7:
        error = readError(subReader(reader)).slice(0, maxErrorChars);
        break;
      default:
        throw new GrpcError(status.invalidArgument, 'resource locators are not supported; subscribe by name');
    }
  }
  return { typeUrl, subscribe, unsubscribe, initialVersions, nonce, error };
}

/** As BinaryReader.string(), at a third of its cost: a first request names a thousand resources. */
function text(reader: BinaryReader, bytes: Buffer): string {
  const length = reader.uint32();
  const start = reader.pos;
  if (length > reader.len - start) throw new RangeError('premature end');
  reader.pos = start + length;
  return bytes.toString('utf8', start, reader.pos);
}

function subReader(reader: BinaryReader): BinaryReader {
  return new BinaryReader(reader.bytes());
}

function checkName(name: string): string {
  if (name.length > maxNameChars) {
    throw new GrpcError(status.invalidArgument, `a resource name has ${name.length} characters`);
  }
  return name;
}

/** One entry of map<string, string>: key 1, value 2. */
function readVersion(reader: BinaryReader, versions: Map<string, string>): void {
  let name = '';
  let version = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) name = checkName(reader.string());
    else if (field === 2 && wireType === WireType.LengthDelimited) version = checkName(reader.string());
    else reader.skip(wireType, field);
  }
  versions.set(name, version);
}

/** google.rpc.Status: message 2. */
function readError(reader: BinaryReader): string {
  let message = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 2 && wireType === WireType.LengthDelimited) message = reader.string();
    else reader.skip(wireType, field);
  }
  return message;
}
