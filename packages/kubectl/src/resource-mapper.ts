/** From what users type (`po`, `deploy`, `deployments.v1.apps`) and from kinds to resources. Mirrors: client-go restmapper */
import { goQuote, parseGroupVersion } from "@knarr/apimachinery"
import type { Discovery } from "./discovery.ts"
import type { ApiResource } from "./api-resource.ts"
import type { Obj } from "./object.ts"

/** The server serves no such kind. */
export class NoKindMatchError extends Error {
  constructor(kind: string, group: string, version: string) {
    const gv = group ? `${group}/${version}` : version
    super(
      version
        ? `no matches for kind ${goQuote(kind)} in version ${goQuote(gv)}`
        : `no matches for kind ${goQuote(kind)} in group ${goQuote(group)}`,
    )
  }
}

export class ResourceMapper {
  readonly #discovery: Discovery

  constructor(discovery: Discovery) {
    this.#discovery = discovery
  }

  /** The resource that an argument names. Throws when there is none. */
  async resource(text: string): Promise<ApiResource> {
    const found = await this.find(text)
    if (found) return found
    const [name, ...group] = text.split(".")
    const where = group.length > 0 ? ` in group ${goQuote(group.join("."))}` : ""
    throw new Error(`the server doesn't have a resource type ${goQuote(name!)}${where}`)
  }

  async find(text: string): Promise<ApiResource | undefined> {
    const find = async (): Promise<ApiResource | undefined> =>
      matchResource(await this.#discovery.resources(), text.toLowerCase())
    const found = await find()
    if (found) return found
    return (await this.#discovery.refresh()) ? find() : undefined
  }

  /** The resource of a kind. Throws {@link NoKindMatchError}. */
  async forKind(kind: string, group: string, version?: string): Promise<ApiResource> {
    const find = async (): Promise<ApiResource | undefined> =>
      (await this.#discovery.resources()).find(
        (one) => one.kind === kind && one.group === group && (!version || one.version === version),
      )
    const found = (await find()) ?? ((await this.#discovery.refresh()) ? await find() : undefined)
    if (!found) throw new NoKindMatchError(kind, group, version ?? "")
    return found
  }

  async forObject(obj: Obj): Promise<ApiResource> {
    const { group, version } = parseGroupVersion(obj["apiVersion"] as string) ?? { group: "", version: "" }
    return this.forKind(obj["kind"] as string, group, version)
  }

  /** The resources of a category such as `all`; empty when there is no such category. */
  async category(name: string): Promise<ApiResource[]> {
    const seen = new Set<string>()
    const out: ApiResource[] = []
    for (const one of await this.#discovery.resources()) {
      const key = `${one.plural}.${one.group}`
      if (!one.categories.includes(name) || seen.has(key)) continue
      seen.add(key)
      out.push(one)
    }
    return out
  }
}

function matchResource(resources: readonly ApiResource[], text: string): ApiResource | undefined {
  const parts = text.split(".")
  const name = parts[0]!
  if (parts.length === 1) return byName(resources, name)
  if (parts.length > 2) {
    const [, version, ...rest] = parts
    const group = rest.join(".")
    const exact = byName(
      resources.filter((one) => one.version === version && one.group === group),
      name,
    )
    if (exact) return exact
  }
  const group = parts.slice(1).join(".")
  const inGroup = byName(
    resources.filter((one) => one.group === group),
    name,
  )
  if (inGroup) return inGroup
  if (parts.length === 2) {
    const inCore = byName(
      resources.filter((one) => one.group === "" && one.version === group),
      name,
    )
    if (inCore) return inCore
  }
  return byName(
    resources.filter((one) => one.group.startsWith(group)),
    name,
  )
}

function byName(resources: readonly ApiResource[], name: string): ApiResource | undefined {
  return (
    resources.find((one) => one.plural === name || one.singular === name) ??
    resources.find((one) => one.shortNames.includes(name)) ??
    resources.find((one) => one.kind.toLowerCase() === name)
  )
}
