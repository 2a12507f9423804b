/**
 * What resources the server has: aggregated discovery, kept on disk for six hours and asked again when
 * something is missing from it. Mirrors: client-go discovery/cached/disk, restmapper
 */
import type { ApiResource } from "./api-resource.ts"
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import type { Clock } from "@knarr/base"
import type { ApiClient } from "./api-client.ts"
import { at, type Obj } from "./object.ts"

export interface ApiGroup {
  readonly name: string
  /** The preferred version first. */
  readonly versions: readonly { readonly version: string; readonly resources: readonly ApiResource[] }[]
}

const maxAgeMs = 6 * 3_600_000
const aggregated =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
  "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

export interface DiscoveryOptions {
  readonly api: ApiClient
  readonly clock: Clock
  /** Where the answer is kept; undefined for nowhere. */
  readonly cacheFile: string | undefined
}

/** The server's groups in order of preference. */
export class Discovery {
  readonly #options: DiscoveryOptions
  #groups: Promise<readonly ApiGroup[]> | undefined
  #fresh = false

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  groups(): Promise<readonly ApiGroup[]> {
    return (this.#groups ??= this.#load())
  }

  /** Asks the server again unless that was done already. Returns whether it was worth a try. */
  async refresh(): Promise<boolean> {
    if (this.#fresh) return false
    this.#groups = this.#fetch()
    await this.#groups
    return true
  }

  /** Every resource, in order of preference. */
  async resources(): Promise<ApiResource[]> {
    const groups = await this.groups()
    return groups.flatMap((group) => group.versions.flatMap((version) => version.resources))
  }

  async #load(): Promise<readonly ApiGroup[]> {
    const { cacheFile, clock } = this.#options
    if (cacheFile) {
      try {
        const { mtimeMs } = await stat(cacheFile)
        if (clock.now() - mtimeMs < maxAgeMs) {
          return JSON.parse(await readFile(cacheFile, "utf8")) as ApiGroup[]
        }
      } catch {
        // Nothing kept, or not readable: the server is asked.
      }
    }
    return this.#fetch()
  }

  async #fetch(): Promise<readonly ApiGroup[]> {
    const { api, cacheFile, clock } = this.#options
    const [core, named] = await Promise.all(
      ["/api", "/apis"].map((path) => api.json("GET", path, { accept: aggregated })),
    )
    const groups =
      core!["kind"] === "APIGroupDiscoveryList"
        ? [...groupsOf(core!), ...groupsOf(named!)]
        : await unaggregated(api, core!, named!)
    this.#fresh = true
    if (cacheFile) {
      try {
        await mkdir(dirname(cacheFile), { recursive: true, mode: 0o750 })
        const temporary = `${cacheFile}.${clock.now()}.${process.pid}`
        await writeFile(temporary, JSON.stringify(groups), { mode: 0o660 })
        await rename(temporary, cacheFile)
      } catch {
        // A cache that cannot be written only costs time.
      }
    }
    return groups
  }
}

function groupsOf(list: Obj): ApiGroup[] {
  return ((list["items"] ?? []) as Obj[]).map((item) => {
    const name = (at(item, "metadata", "name") ?? "") as string
    return {
      name,
      versions: ((item["versions"] ?? []) as Obj[]).map((entry) => ({
        version: entry["version"] as string,
        resources: ((entry["resources"] ?? []) as Obj[]).map((resource) => ({
          group: (at(resource, "responseKind", "group") as string) || name,
          version: (at(resource, "responseKind", "version") as string) || (entry["version"] as string),
          kind: (at(resource, "responseKind", "kind") ?? "") as string,
          plural: resource["resource"] as string,
          singular: (resource["singularResource"] ?? "") as string,
          namespaced: resource["scope"] === "Namespaced",
          verbs: resource["verbs"] ?? [],
          shortNames: resource["shortNames"] ?? [],
          categories: resource["categories"] ?? [],
          subresources: ((resource["subresources"] ?? []) as Obj[]).map(
            (sub) => sub["subresource"] as string,
          ),
        })),
      })),
    }
  })
}

async function unaggregated(api: ApiClient, core: Obj, named: Obj): Promise<ApiGroup[]> {
  const wanted: { name: string; versions: string[] }[] = [{ name: "", versions: core["versions"] ?? [] }]
  for (const group of (named["groups"] ?? []) as Obj[]) {
    const preferred = at(group, "preferredVersion", "version") as string
    const versions = (group["versions"] as Obj[]).map((entry) => entry["version"] as string)
    wanted.push({ name: group["name"], versions: [preferred, ...versions.filter((v) => v !== preferred)] })
  }
  return Promise.all(
    wanted.map(async ({ name, versions }) => ({
      name,
      versions: await Promise.all(versions.map((version) => versionResources(api, name, version))),
    })),
  )
}

async function versionResources(
  api: ApiClient,
  group: string,
  version: string,
): Promise<{ version: string; resources: ApiResource[] }> {
  try {
    const list = await api.get(group ? `/apis/${group}/${version}` : `/api/${version}`)
    const entries = (list["resources"] ?? []) as Obj[]
    const resources = entries
      .filter((entry) => !String(entry["name"]).includes("/"))
      .map((entry) => ({
        group: entry["group"] || group,
        version: entry["version"] || version,
        kind: entry["kind"],
        plural: entry["name"],
        singular: entry["singularName"] || String(entry["kind"]).toLowerCase(),
        namespaced: entry["namespaced"] === true,
        verbs: entry["verbs"] ?? [],
        shortNames: entry["shortNames"] ?? [],
        categories: entry["categories"] ?? [],
        subresources: entries
          .filter((sub) => String(sub["name"]).startsWith(`${entry["name"]}/`))
          .map((sub) => String(sub["name"]).slice(String(entry["name"]).length + 1)),
      }))
    return { version, resources }
  } catch {
    // One group's server may be away; the others are still of use.
    return { version, resources: [] }
  }
}
