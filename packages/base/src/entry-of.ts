/** What Node 22, on which the package runs too, has no Map.getOrInsertComputed for. */

/** The value of a key; one that `make` makes, and that is kept, when there is none. */
export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined || map.has(key)) return known!
  const made = make()
  map.set(key, made)
  return made
}
