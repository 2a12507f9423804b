/**
 * Which groups, versions and resources there are, in both published forms, derived from the kinds.
 * Mirrors: apiserver pkg/endpoints/discovery, kube-aggregator pkg/apiserver/handler_discovery.go
 */
import { createHash } from "node:crypto"
import type { APIGroup, APIResource, Kind, Subresource, Verb } from "@knarr/apimachinery"
import { notAcceptable, pathNotFound } from "@knarr/apimachinery"
import type { Exchange, GroupVersionKind } from "../contract.ts"
import { typeOf } from "../encoding/encoding.ts"
import { builtInEncodings } from "../encoding/encodings.ts"
import {
  acceptOf,
  checkRouted,
  type Clause,
  isTransformed,
  mediaTypes,
  negotiate,
  takesStream,
} from "../server/accept.ts"
import { methodNotAllowed } from "../server/refusals.ts"
import { respondNotFound } from "../server/respond.ts"
import type { RemoteVersion } from "../aggregator/aggregator.ts"
import { groupVersions, type Group } from "./group-versions.ts"

interface Documents {
  readonly groups: readonly Group[]
  readonly text: Map<string, string>
  readonly bytes: Map<string, Buffer>
}

export class Discovery {
  readonly #serverAddress: () => string
  readonly #remote: () => readonly RemoteVersion[]
  #kinds: readonly Kind[]
  #documents: Documents | undefined

  /** `serverAddress`: `host:port` that the legacy documents name. `remote`: what other servers answer for. */
  constructor(
    kinds: readonly Kind[],
    serverAddress: () => string,
    remote: () => readonly RemoteVersion[] = () => [],
  ) {
    this.#kinds = kinds
    this.#serverAddress = serverAddress
    this.#remote = remote
  }

  /** Serves other kinds from now on, and what other servers serve now. */
  replace(kinds: readonly Kind[]): void {
    this.#kinds = kinds
    this.#documents = undefined
  }

  /** Groups other than the core group, in their order, each with its versions, preferred first. */
  groups(): readonly { readonly name: string; readonly versions: readonly string[] }[] {
    return this.#get()
      .groups.filter((group) => group.name !== "")
      .map((group) => ({ name: group.name, versions: [...group.versions.keys()] }))
  }

  /**
   * Answers `/api…` and `/apis…` paths that name no resource. What Go's router serves takes GET alone; the lists of
   * groups, which stand before it, take any method.
   */
  respond(exchange: Exchange): void {
    const { path } = exchange
    const parts = path.split("/").slice(1)
    if (parts.at(-1) === "") parts.pop()
    const { groups } = this.#get()
    if (parts[0] === "api") {
      if (parts.length === 1) return this.#root(exchange, "api", () => this.#apiVersions())
      const core = groups.find((group) => group.name === "")
      const kinds = kindsOf(core, parts[1])
      if (parts.length === 2 && kinds) return this.#resources(exchange, "", parts[1]!, kinds)
      throw pathNotFound()
    }
    if (parts.length === 1) return this.#root(exchange, "apis", () => this.#groupList())
    const group = groups.find((candidate) => candidate.name !== "" && candidate.name === parts[1])
    if (!group) return respondNotFound(exchange)
    if (parts.length === 2) {
      const { name } = group
      return this.#document(exchange, name, { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) })
    }
    const kinds = kindsOf(group, parts[2])
    if (parts.length === 3 && kinds) return this.#resources(exchange, group.name, parts[2]!, kinds)
    throw pathNotFound()
  }

  #root(exchange: Exchange, path: "api" | "apis", legacy: () => object): void {
    if (path === "api") checkRoute(exchange)
    exchange.setHeader("Vary", "Accept")
    const found = negotiate(acceptOf(exchange), takesAggregated)
    if (!found) throw notAcceptable(mediaTypes)
    if (!isTransformed(found.clause)) return this.#document(exchange, undefined, legacy())
    const body = this.#bytes(exchange, path, found.type, () => ({
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      metadata: {},
      items: this.#aggregated(path),
    }))
    const etag = this.#text(
      `etag ${path}`,
      () =>
        `"${createHash("sha512")
          .update(JSON.stringify(this.#aggregated(path)))
          .digest("hex")
          .toUpperCase()}"`,
    )
    exchange.setHeader("ETag", etag)
    exchange.setHeader("Cache-Control", "public")
    if (exchange.headers["if-none-match"] === etag) return exchange.respond(304, "", "")
    exchange.respond(200, `${found.type};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`, body)
  }

  /** A document in the encoding that is wanted, kept under `key` when it has one. */
  #document(exchange: Exchange, key: string | undefined, value: object): void {
    const found = negotiate(acceptOf(exchange))
    if (!found) throw notAcceptable(mediaTypes)
    exchange.respond(
      200,
      found.type,
      this.#bytes(exchange, key, found.type, () => value),
    )
  }

  #bytes(exchange: Exchange, key: string | undefined, type: string, value: () => object): Buffer {
    const encoding = builtInEncodings.of(type, exchange)
    const make = (): Buffer => {
      const document = value()
      return encoding.document(document, typeOf(document))
    }
    if (key === undefined) return make()
    const { bytes } = this.#get()
    const name = `${key} ${encoding.name}`
    let kept = bytes.get(name)
    if (!kept) bytes.set(name, (kept = make()))
    return kept
  }

  #aggregated(path: "api" | "apis"): unknown[] {
    return this.#get()
      .groups.filter((group) => (path === "api") === (group.name === ""))
      .map((group) => ({
        metadata: group.name === "" ? {} : { name: group.name },
        versions: [...group.versions].map(([version, served]) =>
          "kinds" in served
            ? { version, resources: served.kinds.map(aggregatedResource), freshness: "Current" }
            : {
                version,
                ...(served.resources.length > 0 ? { resources: served.resources } : {}),
                freshness: served.isStale ? "Stale" : "Current",
              },
        ),
      }))
  }

  #apiVersions(): object {
    const core = this.#get().groups.find((group) => group.name === "")
    return {
      kind: "APIVersions",
      versions: core ? [...core.versions.keys()] : [],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: this.#serverAddress() }],
    }
  }

  #groupList(): object {
    return {
      kind: "APIGroupList",
      apiVersion: "v1",
      groups: this.#get()
        .groups.filter((group) => group.name !== "")
        .map(apiGroup),
    }
  }

  #resources(exchange: Exchange, group: string, version: string, kinds: readonly Kind[]): void {
    checkRoute(exchange)
    const groupVersion = group === "" ? version : `${group}/${version}`
    const resources = kinds.flatMap(legacyResources)
    // Only the core group's document has no apiVersion: clients of the first releases read it.
    const head = group === "" ? { kind: "APIResourceList" } : { kind: "APIResourceList", apiVersion: "v1" }
    return this.#document(exchange, groupVersion, { ...head, groupVersion, resources })
  }

  #text(key: string, make: () => string): string {
    const { text } = this.#get()
    let value = text.get(key)
    if (value === undefined) text.set(key, (value = make()))
    return value
  }

  #get(): Documents {
    this.#documents ??= {
      groups: groupVersions(this.#kinds, this.#remote()),
      text: new Map(),
      bytes: new Map(),
    }
    return this.#documents
  }
}

/** The kinds of a version that this server answers for. */
function kindsOf(group: Group | undefined, version: string | undefined): readonly Kind[] | undefined {
  const served = group?.versions.get(version ?? "")
  return served && "kinds" in served ? served.kinds : undefined
}

/** What Go's router says of a request for a document: 405 and 406. */
function checkRoute(exchange: Exchange): void {
  if (exchange.method !== "GET") throw methodNotAllowed()
  checkRouted(exchange, mediaTypes)
}

function takesAggregated(clause: Clause, type: string): boolean {
  if (!takesStream(clause, type)) return false
  const { params } = clause
  return (
    !isTransformed(clause) ||
    (params.get("as") === "APIGroupDiscoveryList" &&
      params.get("g") === "apidiscovery.k8s.io" &&
      params.get("v") === "v2")
  )
}

function apiGroup(group: Group): APIGroup {
  const versions = [...group.versions.keys()].map((version) => ({
    groupVersion: `${group.name}/${version}`,
    version,
  }))
  return { name: group.name, versions, preferredVersion: versions[0] }
}

const sortedVerbs = (verbs: readonly string[]): string[] => [...verbs].sort()

/** Custom resources tell theirs in another order. */
const customVerbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]

const verbsOf = (kind: Kind): string[] =>
  kind.rules === "structural"
    ? customVerbs.filter((verb) => kind.verbs.includes(verb as Verb))
    : sortedVerbs(kind.verbs)

function bySubresource(kind: Kind): Subresource[] {
  const all = [...kind.subresources.values()]
  return kind.rules === "structural" ? all : all.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Only custom resources say their group and version again. */
function ownKind({ group, version, kind, rules }: Kind): GroupVersionKind {
  return rules === "structural" ? { group, version, kind } : { group: "", version: "", kind }
}

function aggregatedResource(kind: Kind): unknown {
  const subresources = bySubresource(kind)
  return {
    resource: kind.plural,
    responseKind: ownKind(kind),
    scope: kind.namespaced ? "Namespaced" : "Cluster",
    singularResource: kind.singular,
    verbs: verbsOf(kind),
    ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
    ...(subresources.length > 0
      ? {
          subresources: subresources.map((sub) => ({
            subresource: sub.name,
            responseKind:
              sub.kind && sub.kind.group !== kind.group
                ? { group: sub.kind.group, version: sub.kind.version, kind: sub.kind.kind }
                : sub.kind
                  ? { group: "", version: "", kind: sub.kind.kind }
                  : ownKind(kind),
            verbs: sortedVerbs(sub.verbs),
          })),
        }
      : {}),
  }
}

function legacyResources(kind: Kind): APIResource[] {
  const main: APIResource = {
    name: kind.plural,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: verbsOf(kind),
    ...(kind.shortNames.length > 0 ? { shortNames: [...kind.shortNames] } : {}),
    ...(kind.categories.length > 0 ? { categories: [...kind.categories] } : {}),
    ...(kind.verbs.includes("watch") ? { storageVersionHash: storageVersionHash(kind) } : {}),
  }
  return [
    main,
    ...bySubresource(kind).map((sub): APIResource => ({
      name: `${kind.plural}/${sub.name}`,
      singularName: "",
      namespaced: kind.namespaced,
      ...(sub.kind && sub.kind.group !== kind.group
        ? { group: sub.kind.group, version: sub.kind.version }
        : {}),
      kind: sub.kind?.kind ?? kind.kind,
      verbs: sortedVerbs(sub.verbs),
    })),
  ]
}

/** Names the version that objects are stored in. Mirrors: apiserver pkg/endpoints/discovery/storageversionhash.go */
function storageVersionHash(kind: Kind): string {
  const { group, version: own, kind: name } = kind.storedAs?.() ?? kind
  const { releaseStoresVersion: version = own } = kind
  return createHash("sha256").update(`${group}/${version}/${name}`).digest().subarray(0, 8).toString("base64")
}
