// Much of a listener is the same for most workloads. To pack it into its `Any` again for each would be most of the work.

/** Keys of one function: pods of a mesh mostly have the same few ports. Which they have is the users' choice, hence a limit. */
const maxRemembered = 256;

/**
 * The same function, for which equal keys give the same object; it must not be changed.
 * @param make depends on its key alone, which is plain data.
 */
export function once<Key, Value extends object>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<string, Value>();
  return (key) => {
    const text = JSON.stringify(key);
    const before = known.get(text);
    if (before !== undefined) return before;
    if (known.size >= maxRemembered) known.clear();
    const value = make(key);
    known.set(text, value);
    return value;
  };
}
