/** The objects that a command line means: arguments, selectors and manifests. Mirrors: cli-runtime pkg/resource/builder.go */
import type { Info } from "./info.ts"
import { StatusError, goQuote, isBadRequest } from "@knarr/apimachinery"
import { resourcePath, type ApiClient } from "./api-client.ts"
import type { CommandContext } from "./command.ts"
import type { ApiResource } from "./api-resource.ts"
import { infosOf, readManifests } from "./files/manifests.ts"
import { throwAll } from "./errors.ts"
import type { Obj } from "./object.ts"
import type { ResourceMapper } from "./resource-mapper.ts"

/** What arguments name: a collection, or one object of it. */
export interface Target {
  readonly resource: ApiResource
  /** "" for all namespaces, or for what has none. */
  readonly namespace: string
  /** undefined for the whole collection. */
  readonly name: string | undefined
}

export interface SelectOptions {
  readonly args: readonly string[]
  /** A type alone means all of it, even without a selector. */
  readonly wholeCollections?: boolean
  /** What `--all` says. */
  readonly all?: boolean
  /** Overrides the flag. */
  readonly selector?: string
}

const nothingGiven =
  "You must provide one or more resources by argument or filename.\n" +
  "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"

/** Reads arguments as targets. Throws with upstream's messages. */
export async function targetsOf(ctx: CommandContext, options: SelectOptions): Promise<Target[]> {
  const { args } = options
  const selector = options.selector ?? ctx.flags.text("selector")
  const selecting = selector !== "" || ctx.flags.text("field-selector") !== ""
  const allNamespaces = ctx.flags.bool("all-namespaces")
  const mapper = await ctx.factory.mapper()
  const { namespace } = await ctx.factory.namespace()
  const inNamespace = (resource: ApiResource): string =>
    !resource.namespaced || allNamespaces ? "" : namespace
  if (args.length === 0) throw new Error(nothingGiven)
  if (args.some((arg) => arg.includes("/"))) {
    const tuples = args.map((arg) => tupleOf(arg, args))
    if (selecting || options.all) {
      throw new Error("selectors and the all flag cannot be used when passing resource/name arguments")
    }
    const out: Target[] = []
    for (const [type, name] of tuples) {
      const resource = await mapper.resource(type)
      if (allNamespaces && resource.namespaced) throw acrossNamespaces()
      out.push({ resource, namespace: inNamespace(resource), name })
    }
    return out
  }
  const resources = await resourcesOf(mapper, args[0]!)
  const names = args.slice(1).filter((name, i, all) => all.indexOf(name) === i)
  if (names.length === 0) {
    if (!options.wholeCollections && !selecting && !options.all) {
      throw new Error("resource(s) were provided, but no name was specified")
    }
    return resources.map((resource) => ({ resource, namespace: inNamespace(resource), name: undefined }))
  }
  if (selecting) throw new Error("name cannot be provided when a selector is specified")
  if (options.all) throw new Error("setting 'all' parameter but found a non empty selector. ")
  if (allNamespaces && resources.some((one) => one.namespaced)) throw acrossNamespaces()
  return resources.flatMap((resource) =>
    names.map((name) => ({ resource, namespace: inNamespace(resource), name })),
  )
}

function acrossNamespaces(): Error {
  return new Error("a resource cannot be retrieved by name across all namespaces")
}

function tupleOf(arg: string, args: readonly string[]): [string, string] {
  const parts = arg.split("/")
  if (parts.length === 1) {
    throw new Error(
      "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form " +
        `(e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'`,
    )
  }
  if (parts.length !== 2) {
    throw new Error("arguments in resource/name form may not have more than one slash")
  }
  if (parts[0] === "" || parts[1] === "") {
    throw new Error(
      `arguments in resource/name form must have a single resource and name${args.length > 0 ? "" : ""}`,
    )
  }
  return [parts[0]!, parts[1]!]
}

/** The resources of `po,svc`; categories such as `all` are written out. */
async function resourcesOf(mapper: ResourceMapper, text: string): Promise<ApiResource[]> {
  const out: ApiResource[] = []
  for (const type of text.split(",").filter(Boolean)) {
    const members = type.includes(".") ? [] : await mapper.category(type)
    const found = members.length > 0 ? members : [await mapper.resource(type)]
    for (const one of found) {
      if (!out.some((known) => known.plural === one.plural && known.group === one.group)) out.push(one)
    }
  }
  return out
}

export interface FetchOptions {
  readonly accept?: string
  readonly query?: Readonly<Record<string, string | boolean | number | undefined>>
  readonly subresource?: string
  /** Overrides the flag. */
  readonly selector?: string
}

/** The pages of a collection, as the server gives them. */
export async function* listPages(
  ctx: CommandContext,
  api: ApiClient,
  target: Target,
  options: FetchOptions = {},
): AsyncGenerator<Obj> {
  const limit = ctx.flags.has("chunk-size") ? ctx.flags.int("chunk-size") : 500
  const path = resourcePath(target.resource, target.namespace)
  let next: string | undefined
  do {
    const query = {
      ...options.query,
      labelSelector: options.selector ?? ctx.flags.text("selector"),
      fieldSelector: ctx.flags.text("field-selector"),
      limit: limit > 0 ? limit : undefined,
      continue: next,
    }
    const page = await api.json("GET", path, { query, accept: options.accept }).catch((thrown: unknown) => {
      throw withSelectors(thrown, target, query.labelSelector, query.fieldSelector)
    })
    completeItems(page)
    yield page
    next = page["metadata"]?.continue as string | undefined
  } while (next)
}

function withSelectors(thrown: unknown, target: Target, labels: string, fields: string): unknown {
  if (!isBadRequest(thrown) || (labels === "" && fields === "")) return thrown
  const { group, version, plural } = target.resource
  const message = `Unable to find "${group}/${version}, Resource=${plural}" that match label selector ${goQuote(labels)}, field selector ${goQuote(fields)}: ${(thrown as Error).message}`
  return new StatusError({ ...(thrown as StatusError).status, message })
}

/** Items of a list come without their type: it is the list's. */
function completeItems(list: Obj): void {
  if (!Array.isArray(list["items"])) return
  const kind = String(list["kind"] ?? "").replace(/List$/, "")
  for (const item of list["items"] as Obj[]) {
    item["apiVersion"] ??= list["apiVersion"]
    item["kind"] ??= kind
  }
}

/** One object, as it is now. */
export function fetchObject(
  api: ApiClient,
  info: { resource: ApiResource; namespace: string; name: string | undefined },
  options: FetchOptions = {},
): Promise<Obj> {
  const path = resourcePath(info.resource, info.namespace, info.name, options.subresource)
  return api.json("GET", path, { query: options.query, accept: options.accept })
}

export interface Selected {
  readonly infos: Info[]
  /** What failed while others could be read. */
  readonly errors: Error[]
  /** The command line named exactly one object. */
  readonly single: boolean
}

/**
 * The objects that `-f` or the arguments mean. With `latest`, what manifests name is read from the server.
 * Failures to read some of several are collected.
 */
export async function selectInfos(
  ctx: CommandContext,
  options: SelectOptions & FetchOptions & { readonly latest: boolean; readonly local?: boolean },
): Promise<Selected> {
  const fromFiles = ctx.flags.list("filename").length > 0 || ctx.flags.text("kustomize") !== ""
  const infos: Info[] = []
  const errors: Error[] = []
  if (fromFiles) {
    if (options.args.length > 0 && options.args.some((arg) => !arg.includes("="))) {
      throw new Error(
        "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well",
      )
    }
    const read = await infosOf(ctx, await readManifests(ctx))
    if (options.local) return { infos: read, errors, single: read.length === 1 }
    const api = options.latest ? await ctx.factory.api() : undefined
    for (const info of read) {
      try {
        infos.push(api ? { ...info, object: await fetchObject(api, info, options) } : info)
      } catch (thrown) {
        errors.push(thrown as Error)
      }
    }
    return { infos, errors, single: read.length === 1 }
  }
  const api = await ctx.factory.api()
  const targets = await targetsOf(ctx, options)
  for (const target of targets) {
    try {
      if (target.name !== undefined) {
        const object = await fetchObject(api, target, options)
        infos.push({ ...target, name: target.name, object })
        continue
      }
      for await (const page of listPages(ctx, api, target, options)) {
        for (const object of (page["items"] ?? []) as Obj[]) {
          const { name, namespace = "" } = object["metadata"] as { name: string; namespace?: string }
          infos.push({ resource: target.resource, namespace, name, object })
        }
      }
    } catch (thrown) {
      errors.push(thrown as Error)
    }
  }
  return { infos, errors, single: targets.length === 1 && targets[0]!.name !== undefined }
}

/** Calls `fn` for each object in turn; what fails does not keep the others from being done. Throws at the end. */
export async function forEachInfo(
  selected: Pick<Selected, "infos" | "errors">,
  fn: (info: Info) => Promise<void>,
): Promise<void> {
  const errors = [...selected.errors]
  for (const info of selected.infos) {
    try {
      await fn(info)
    } catch (thrown) {
      errors.push(thrown as Error)
    }
  }
  throwAll(errors)
}

/** `type/name` or `type name` or a bare name of the default type, for commands on a single object. */
export async function singleTarget(
  ctx: CommandContext,
  args: readonly string[],
  defaultType = "pods",
): Promise<Info> {
  const withType = args.length === 1 && !args[0]!.includes("/") ? [defaultType, args[0]!] : args
  const targets = await targetsOf(ctx, { args: withType })
  if (targets.length !== 1) throw new Error(`expected one resource, got ${goQuote(args.join(" "))}`)
  const api = await ctx.factory.api()
  const object = await fetchObject(api, targets[0]!)
  return { ...targets[0]!, name: targets[0]!.name!, object }
}
