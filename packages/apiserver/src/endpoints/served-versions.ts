/** Discovery for components in the server's own process: what the documents say, without encoding it. */
import type { Kind } from "@knarr/apimachinery"
import type { ServedResource, ServedVersion } from "@knarr/client"
import { groupKinds } from "./discovery.ts"

export function servedVersions(kinds: readonly Kind[]): readonly ServedVersion[] {
  return groupKinds(kinds).flatMap(({ name: group, versions }) =>
    [...versions].map(([version, list]) => ({ group, version, resources: list.map(resourceOf) })),
  )
}

function resourceOf(kind: Kind): ServedResource {
  const { plural, singular, namespaced, verbs, shortNames, categories, subresources } = kind
  return {
    kind: kind.kind,
    plural,
    singular,
    namespaced,
    verbs,
    shortNames,
    categories,
    subresources: [...subresources.keys()],
  }
}
