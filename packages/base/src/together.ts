/** Things that end together. Node 22, on which the package runs too, has no DisposableStack. */

/** Ends all of them, the last first; of several that cannot end the first failure is thrown, when all were asked. */
export function together(...parts: readonly Disposable[]): Disposable {
  return {
    [Symbol.dispose]() {
      const failures: unknown[] = []
      for (const part of parts.toReversed()) {
        try {
          part[Symbol.dispose]()
        } catch (thrown) {
          failures.push(thrown)
        }
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}
