/**
 * What an API server serves, as it says itself.
 * Mirrors: client-go discovery/{discovery_client,aggregated_discovery}.go
 */
import type { APIResourceList, APIGroupList, Verb } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"

export interface ServedResource {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly verbs: readonly Verb[]
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  /** Names of its subresources. */
  readonly subresources: readonly string[]
}

/** One version of a group. The versions of a group come one after another, the preferred one first. */
export interface ServedVersion {
  readonly group: string
  readonly version: string
  readonly resources: readonly ServedResource[]
  /** Why `resources` may not be all there are: whoever serves them does not answer. */
  readonly failure?: string | undefined
}

/** What aggregated discovery is asked for with; a server without it answers as it did before. */
export const aggregatedDiscovery =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
  "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

interface AggregatedResource {
  readonly resource: string
  readonly responseKind?: { readonly kind?: string }
  readonly scope?: string
  readonly singularResource?: string
  readonly verbs?: readonly Verb[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly subresources?: readonly { readonly subresource: string }[]
}

interface AggregatedList {
  readonly kind: "APIGroupDiscoveryList"
  readonly items: readonly {
    readonly metadata?: { readonly name?: string }
    readonly versions?: readonly {
      readonly version: string
      readonly freshness?: string
      readonly resources?: readonly AggregatedResource[]
    }[]
  }[]
}

/** Asks with `get`, which answers the document at a path. Rejects when the groups themselves cannot be told. */
export async function readDiscovery(
  get: (path: string, accept: string) => Promise<unknown>,
): Promise<readonly ServedVersion[]> {
  const answers = await Promise.all(["/api", "/apis"].map((path) => get(path, aggregatedDiscovery)))
  const versions = answers.map(async (answer) =>
    isAggregated(answer)
      ? versionsOf(answer)
      : Promise.all(named(answer).map((one) => readVersion(one, get))),
  )
  return (await Promise.all(versions)).flat()
}

function isAggregated(answer: unknown): answer is AggregatedList {
  return (answer as { kind?: string }).kind === "APIGroupDiscoveryList"
}

function versionsOf({ items }: AggregatedList): ServedVersion[] {
  return items.flatMap(({ metadata, versions = [] }) => {
    const group = metadata?.name ?? ""
    return versions.map(({ version, freshness, resources = [] }) => ({
      group,
      version,
      resources: resources.map(resourceOf),
      failure:
        freshness === "Stale" ? `stale GroupVersion discovery: ${groupVersion(group, version)}` : undefined,
    }))
  })
}

function resourceOf(one: AggregatedResource): ServedResource {
  return {
    kind: one.responseKind?.kind ?? "",
    plural: one.resource,
    singular: one.singularResource ?? "",
    namespaced: one.scope === "Namespaced",
    verbs: one.verbs ?? [],
    shortNames: one.shortNames ?? [],
    categories: one.categories ?? [],
    subresources: (one.subresources ?? []).map(({ subresource }) => subresource),
  }
}

type Named = Pick<ServedVersion, "group" | "version">

/** The versions that a list of groups, or of the core group's versions, names. */
function named(answer: unknown): Named[] {
  const { versions = [], groups = [] } = answer as { versions?: readonly string[] } & Partial<APIGroupList>
  const core = versions.map((version) => ({ group: "", version }))
  const others = groups.flatMap(({ name: group, versions: all, preferredVersion }) => {
    const preferred = preferredVersion?.version
    const names = all.map(({ version }) => version)
    const sorted = preferred ? [preferred, ...names.filter((version) => version !== preferred)] : names
    return sorted.map((version) => ({ group, version }))
  })
  return [...core, ...others]
}

async function readVersion(
  { group, version }: Named,
  get: (path: string, accept: string) => Promise<unknown>,
): Promise<ServedVersion> {
  try {
    const path = `${group === "" ? "/api" : `/apis/${group}`}/${version}`
    const { resources } = (await get(path, "application/json")) as APIResourceList
    const main = resources.filter(({ name }) => !name.includes("/"))
    return {
      group,
      version,
      resources: main.map((one) => ({
        kind: one.kind,
        plural: one.name,
        singular: one.singularName,
        namespaced: one.namespaced,
        verbs: one.verbs as Verb[],
        shortNames: one.shortNames ?? [],
        categories: one.categories ?? [],
        subresources: resources.flatMap(({ name }) =>
          name.startsWith(`${one.name}/`) ? [name.slice(one.name.length + 1)] : [],
        ),
      })),
    }
  } catch (thrown) {
    return { group, version, resources: [], failure: messageOf(thrown) }
  }
}

/** `v1`, `apps/v1`. */
export function groupVersion(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`
}
