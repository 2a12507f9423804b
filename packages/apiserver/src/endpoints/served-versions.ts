/** Discovery for components in the server's own process: what the documents say, without encoding it. */
import type { Kind, Verb } from "@knarr/apimachinery"
import type { ServedResource, ServedVersion } from "@knarr/client"
import type { RemoteVersion } from "../aggregator/aggregator.ts"
import type { RemoteResource } from "../aggregator/remote-discovery.ts"
import { groupVersions } from "./group-versions.ts"

export function servedVersions(
  kinds: readonly Kind[],
  remote: readonly RemoteVersion[] = [],
): readonly ServedVersion[] {
  return groupVersions(kinds, remote).flatMap(({ name: group, versions }) =>
    [...versions].map(([version, served]) =>
      "kinds" in served
        ? { group, version, resources: served.kinds.map(resourceOf) }
        : {
            group,
            version,
            resources: served.resources.map(remoteResource),
            ...(served.isStale ? { failure: "stale GroupVersion discovery" } : {}),
          },
    ),
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

function remoteResource(one: RemoteResource): ServedResource {
  return {
    kind: one.responseKind.kind,
    plural: one.resource,
    singular: one.singularResource,
    namespaced: one.scope === "Namespaced",
    verbs: one.verbs as readonly Verb[],
    shortNames: one.shortNames ?? [],
    categories: one.categories ?? [],
    subresources: one.subresources?.map(({ subresource }) => subresource) ?? [],
  }
}
