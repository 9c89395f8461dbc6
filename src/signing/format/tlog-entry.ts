// The shape of a transparency-log entry in a bundle (sigstore protobuf-specs, TransparencyLogEntry, as protobuf JSON).
// What it proves is judged where logs are known; here only nothing unknown and nothing ambiguous gets past.

import type { JsonObject } from '../../registry/strict-json.ts';
import type { Members } from './members.ts';

/** Hashes of an inclusion proof: a log of 2⁶⁴ entries has 64. */
const maxProofHashes = 64;

/** int64 in protobuf JSON is a text of decimal digits, without leading zeros. */
const int64Form = /^(?:0|[1-9]\d{0,18})$/;

/** @throws SigningError with the code of `members`, or ERR_BASE64_INVALID */
export function checkTlogEntry(members: Members, value: unknown): void {
  const entry = members.object(
    value,
    'a log entry',
    ['logId', 'kindVersion', 'canonicalizedBody'],
    ['logIndex', 'integratedTime', 'inclusionPromise', 'inclusionProof'],
  );
  checkInt64(members, entry, 'logIndex');
  checkInt64(members, entry, 'integratedTime');
  const logId = members.object(entry['logId'], 'logId', ['keyId']);
  members.base64(logId['keyId'], 'logId.keyId');
  const kindVersion = members.object(entry['kindVersion'], 'kindVersion', ['kind', 'version']);
  members.text(kindVersion['kind'], 'kindVersion.kind');
  members.text(kindVersion['version'], 'kindVersion.version');
  members.base64(entry['canonicalizedBody'], 'canonicalizedBody');
  if (Object.hasOwn(entry, 'inclusionPromise')) checkPromise(members, entry['inclusionPromise']);
  if (Object.hasOwn(entry, 'inclusionProof')) checkProof(members, entry['inclusionProof']);
}

function checkPromise(members: Members, value: unknown): void {
  const promise = members.object(value, 'inclusionPromise', ['signedEntryTimestamp']);
  members.base64(promise['signedEntryTimestamp'], 'signedEntryTimestamp');
}

function checkProof(members: Members, value: unknown): void {
  const proof = members.object(
    value,
    'inclusionProof',
    ['rootHash', 'checkpoint'],
    ['logIndex', 'treeSize', 'hashes'],
  );
  checkInt64(members, proof, 'logIndex');
  checkInt64(members, proof, 'treeSize');
  members.base64(proof['rootHash'], 'rootHash');
  const hashes = Object.hasOwn(proof, 'hashes') ? proof['hashes'] : [];
  for (const hash of members.array(hashes, 'hashes', maxProofHashes)) {
    members.base64(hash, 'a hash of the inclusion proof');
  }
  const checkpoint = members.object(proof['checkpoint'], 'checkpoint', ['envelope']);
  members.text(checkpoint['envelope'], 'checkpoint.envelope');
}

/** Protobuf JSON leaves out members that are zero, such as the index of a log's first entry. */
function checkInt64(members: Members, holder: JsonObject, name: string): void {
  if (!Object.hasOwn(holder, name)) return;
  if (!int64Form.test(members.text(holder[name], name))) members.refuse(`${name} is not a whole number`);
}
