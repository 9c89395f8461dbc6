// Who counts as one, where what there is has to be shared.

const mapped = '::ffff:';
const prefixGroups = 4;

/**
 * An IPv4 address, also where it comes mapped into IPv6 (RFC 4291 §2.5.5.2), and of an IPv6 address its /64: the other half is an interface
 * identifier (§2.5.1), which every host chooses for itself, as often as it likes (RFC 8981).
 * @param remoteAddress as of a socket; empty where that is closed already
 */
export function networkOf(remoteAddress: string): string {
  // A zone says by which interface of ours it came.
  const [address = ''] = remoteAddress.split('%', 1);
  if (address.startsWith(mapped) && address.includes('.')) return address.slice(mapped.length);
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(zeros).fill('0'), ...right];
  return `${groups.slice(0, prefixGroups).join(':')}::/64`;
}

/** An IPv4 address at the end stands for two, neither of them in the prefix. */
function groupsOf(part: string): readonly string[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => (group.includes('.') ? ['', ''] : [group]));
}
