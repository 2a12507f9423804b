/**
 * What another server says that it serves, as far as it can be believed: aggregated discovery, or of a server without it
 * the older documents. Mirrors: kube-aggregator pkg/apiserver/handler_discovery.go
 */
import { parseJson } from "@knarr/base"
import { aggregatedDiscovery } from "@knarr/client"
import type { Get } from "../outbound/read-bounded.ts"

export interface RemoteResource {
  readonly resource: string
  readonly responseKind: ResponseKind
  readonly scope: "Namespaced" | "Cluster"
  readonly singularResource: string
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly subresources?: readonly {
    readonly subresource: string
    readonly responseKind: ResponseKind
    readonly verbs: readonly string[]
  }[]
}

interface ResponseKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** The resources of each `group/version` that a server tells of, and the tag of its answer. */
export interface RemoteDocument {
  readonly versions: ReadonlyMap<string, readonly RemoteResource[]>
  readonly etag: string
}

/** The longest discovery document that is read. */
const maxBytes = 4 * 1024 * 1024

/**
 * Asks a server for what it serves; `known` is what it said last. Rejects with why there is no answer to be had.
 * Only `path`'s version is in the answer of a server without aggregated discovery.
 */
export async function fetchDiscovery(
  get: Get,
  of: { readonly key: string; readonly path: string },
  known: RemoteDocument | undefined,
): Promise<RemoteDocument> {
  const asked = { accept: aggregatedDiscovery, ...(known?.etag ? { "if-none-match": known.etag } : {}) }
  const answer = await get("/apis", asked, maxBytes)
  if (answer.status === 304 && known) return known
  if (answer.status === 503) throw new Error(`it returned non-success response code: ${answer.status}`)
  if (answer.status === 200 && isAggregated(answer.headers["content-type"] ?? "")) {
    const document = parseJson(answer.body.toString()) as Loose
    return { versions: readVersions(document), etag: String(answer.headers.etag ?? "") }
  }
  const older = await get(of.path, { accept: "application/json" }, maxBytes)
  if (older.status !== 200)
    throw new Error(`failed to download legacy discovery for ${of.path}: ${older.status}`)
  const list = parseJson(older.body.toString()) as Loose
  return { versions: new Map([[of.key, readLegacy(list)]]), etag: "" }
}

function isAggregated(type: string): boolean {
  return /;\s*as=APIGroupDiscoveryList/.test(type) && /;\s*v=v2(;|$)/.test(type)
}

// What comes from elsewhere may be anything: only what has the form of a document is taken over.

type Loose = Readonly<Record<string, unknown>>

function listOf(value: unknown): readonly Loose[] {
  return Array.isArray(value)
    ? value.filter((one): one is Loose => typeof one === "object" && one !== null)
    : []
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []
}

function kindOf(value: unknown): ResponseKind {
  const { group, version, kind } = (typeof value === "object" && value !== null ? value : {}) as Loose
  return { group: textOf(group), version: textOf(version), kind: textOf(kind) }
}

function namesOf(one: Loose): Pick<RemoteResource, "shortNames" | "categories"> {
  const shortNames = textsOf(one["shortNames"])
  const categories = textsOf(one["categories"])
  return {
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  }
}

function readVersions(document: Loose): Map<string, readonly RemoteResource[]> {
  const out = new Map<string, readonly RemoteResource[]>()
  for (const group of listOf(document["items"])) {
    const name = textOf((group["metadata"] as Loose | undefined)?.["name"])
    for (const version of listOf(group["versions"]))
      out.set(`${name}/${textOf(version["version"])}`, listOf(version["resources"]).map(readResource))
  }
  return out
}

function readResource(one: Loose): RemoteResource {
  const subresources = listOf(one["subresources"]).map((sub) => ({
    subresource: textOf(sub["subresource"]),
    responseKind: kindOf(sub["responseKind"]),
    verbs: textsOf(sub["verbs"]),
  }))
  return {
    resource: textOf(one["resource"]),
    responseKind: kindOf(one["responseKind"]),
    scope: one["scope"] === "Namespaced" ? "Namespaced" : "Cluster",
    singularResource: textOf(one["singularResource"]),
    verbs: textsOf(one["verbs"]),
    ...namesOf(one),
    ...(subresources.length > 0 ? { subresources } : {}),
  }
}

/** An APIResourceList: subresources are resources with a slash. Mirrors: ConvertGroupVersionIntoToDiscovery */
function readLegacy(document: Loose): RemoteResource[] {
  const all = listOf(document["resources"]).map((one) => ({ one, parts: textOf(one["name"]).split("/") }))
  const resources = new Map<string, RemoteResource & { subresources?: object[] }>()
  const scopeOf = (one: Loose): RemoteResource["scope"] =>
    one["namespaced"] === true ? "Namespaced" : "Cluster"
  for (const { one, parts } of all) {
    if (parts.length > 1) continue
    resources.set(parts[0]!, {
      resource: parts[0]!,
      responseKind: kindOf(one),
      scope: scopeOf(one),
      singularResource: textOf(one["singularName"]),
      verbs: textsOf(one["verbs"]),
      ...namesOf(one),
    })
  }
  for (const { one, parts } of all) {
    if (parts.length < 2) continue
    const [resource = "", ...rest] = parts
    let parent = resources.get(resource)
    if (!parent) {
      const responseKind = kindOf(undefined)
      parent = { resource, responseKind, scope: scopeOf(one), singularResource: "", verbs: [] }
      resources.set(resource, parent)
    }
    parent.subresources = [
      ...(parent.subresources ?? []),
      { subresource: rest.join("/"), responseKind: kindOf(one), verbs: textsOf(one["verbs"]) },
    ]
  }
  return [...resources.values()]
}
