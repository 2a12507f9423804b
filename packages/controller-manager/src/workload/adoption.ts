/** Which owners an orphan could belong to. */
import { controllerOf, refOf, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Ref } from "@knarr/client"
import type { Cache } from "@knarr/controller-kit"

/** The owners in the orphan's namespace that may adopt it; none when it has a controller or is being deleted. */
export function possibleOwners<T extends KubeObject>(
  obj: KubeObject,
  cache: Cache,
  kind: Kind<T>,
  mayAdopt: (owner: T) => boolean,
): readonly Ref[] {
  if (controllerOf(obj) || obj.metadata.deletionTimestamp) return []
  return cache.list(kind, { namespace: obj.metadata.namespace }).filter(mayAdopt).map(refOf)
}
