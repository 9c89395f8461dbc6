// Names as Kubernetes restricts them. They become parts of SPIFFE IDs, map keys and resource names, where a `/` or a
// control character would be read as something else, so a manifest from a file is held to the same rules as one from
// the API server.

/** RFC 1123 label: names of namespaces. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/** RFC 1123 subdomain: names of most objects. */
export function isDnsSubdomain(text: string): boolean {
  return (
    text.length <= 253 && text.split('.').every((label) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label))
  );
}

/** What identifies a pod to the node: the API server makes UUIDs, a file may say anything as plain. */
export function isUid(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,320}$/.test(text);
}
