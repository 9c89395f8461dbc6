// Capabilities (capabilities(7)) with which a container can go around the proxy of its pod, or read its keys.

const dangerous: ReadonlySet<string> = new Set([
  'ALL',
  // Routes and packet filter rules of the pod: what leads its traffic to the proxy.
  'NET_ADMIN',
  // Packets that no rule of the filter sees (packet(7)), and everybody's packets to read.
  'NET_RAW',
  // Memory of other processes, and their files by /proc/<pid>/root.
  'SYS_PTRACE',
  // Mounts and namespaces: all the others can be had with it.
  'SYS_ADMIN',
  // Code in the kernel, or its memory.
  'SYS_MODULE',
  'SYS_RAWIO',
  'BPF',
  'PERFMON',
  // Files of the node by handle (open_by_handle_at(2)), wherever the container's root is.
  'DAC_READ_SEARCH',
]);

/** Those of `added` that are, as they are written. Runtimes take either case, and some take the prefix. */
export function dangerousCapabilities(added: readonly string[]): readonly string[] {
  return added.filter((name) => dangerous.has(name.toUpperCase().replace(/^CAP_/, '')));
}
