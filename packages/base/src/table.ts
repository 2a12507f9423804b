/** Tables that are asked with text from outside. */

/** A table that has what it lists and nothing else: `constructor` and `__proto__` are in none unless they are listed. */
export function tableOf<T>(rows: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.freeze(Object.assign(Object.create(null) as Record<string, T>, rows))
}
