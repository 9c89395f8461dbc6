// Paths of the API server for names that others chose.

/** RFC 1123 subdomains, which the names of Secrets, ConfigMaps and service accounts are. */
const nameForm = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const maxNameChars = 253;

/**
 * Where the object is; undefined for a name that no object has. A path with `..` in it would be another object's.
 * @param plural of a kind of the core group
 */
export function objectPath(namespace: string, plural: string, name: string): string | undefined {
  const isName = (text: string) => text.length <= maxNameChars && nameForm.test(text);
  if (!isName(namespace) || !isName(name)) return undefined;
  return `/api/v1/namespaces/${namespace}/${plural}/${name}`;
}
