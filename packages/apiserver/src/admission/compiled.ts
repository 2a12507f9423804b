/** What is made of configurations when they are written, so that no request waits for it. */
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { AdmissionDeps } from "../contract.ts"

/**
 * What `compile` makes of each object of a kind, in the order of their names. It is called again for one whose
 * generation changed.
 */
export function compiledFrom<T extends KubeObject, C>(
  deps: Pick<AdmissionDeps, "list" | "follow">,
  kind: Kind<T>,
  compile: (object: Readonly<T>) => C,
): { readonly present: readonly C[] } {
  let known = new Map<string, C>()
  const made: { present: readonly C[] } = { present: [] }
  const refresh = (): void => {
    const next = new Map<string, C>()
    for (const object of deps.list(kind)) {
      const key = `${object.metadata.uid}/${object.metadata.generation}`
      next.set(key, known.get(key) ?? compile(object))
    }
    known = next
    made.present = [...next.values()]
  }
  refresh()
  deps.follow(kind, refresh)
  return made
}
