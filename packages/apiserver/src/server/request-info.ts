/**
 * What a method and a URL ask for, without looking at the body.
 * Mirrors: apiserver pkg/endpoints/request/requestinfo.go
 */
import { isPathSegmentName, parseFieldSelector } from "@knarr/apimachinery"
import type { RequestInfo } from "../contract.ts"

/** Parts of a namespace's own URL that are subresources of it and not resources inside it. */
const namespaceSubresources = new Set(["status", "finalize"])
const specialVerbs = new Set(["proxy", "watch"])

/**
 * Reads a request line. Never throws: what is no resource request keeps its path and lower-case method, and one that has
 * a deprecated word and nothing behind it that word as its prefix.
 */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const parts = splitPath(path)
  const root = parts[0]
  const grouped = root === "apis"
  if ((root !== "api" && !grouped) || parts.length < (grouped ? 4 : 3)) return nonResource(method, path)
  let at = 1
  const apiGroup = grouped ? parts[at++]! : ""
  const apiVersion = parts[at++]!
  let verb = verbOf(method)
  let prefix: RequestInfo["prefix"] = ""
  if (specialVerbs.has(parts[at]!)) {
    // The deprecated forms `/api/v1/watch/…` and `/api/v1/proxy/…`.
    verb = prefix = parts[at++] as "watch" | "proxy"
    if (at === parts.length) return { ...nonResource(method, path), prefix }
  }
  let namespace = ""
  let inNamespace = false
  let rest = parts.slice(at)
  if (rest[0] === "namespaces") {
    if (rest.length > 1) {
      namespace = rest[1]!
      if (rest.length > 2 && !namespaceSubresources.has(rest[2]!)) {
        rest = rest.slice(2)
        inNamespace = true
      }
    }
  }
  const resource = rest[0] ?? ""
  let name = rest.length >= 2 ? rest[1]! : ""
  const subresource = rest.length >= 3 && verb !== "proxy" ? rest[2]! : ""
  if (name === "" && prefix === "") {
    if (verb === "get") {
      const selected = metadataNameOf(query.get("fieldSelector"))
      if (selected !== undefined) name = selected
      verb = isTrue(query.get("watch")) ? "watch" : "list"
    } else if (verb === "delete") verb = "deletecollection"
  }
  return {
    isResourceRequest: true,
    path,
    verb,
    apiGroup,
    apiVersion,
    namespace,
    resource,
    subresource,
    name,
    rest: subresource === "proxy" ? restAfterProxy(rest, path) : "",
    prefix,
    inNamespace,
    depth: rest.length - 1,
  }
}

function nonResource(method: string, path: string): RequestInfo {
  return {
    isResourceRequest: false,
    path,
    verb: method.toLowerCase(),
    apiGroup: "",
    apiVersion: "",
    namespace: "",
    resource: "",
    subresource: "",
    name: "",
    rest: "",
    prefix: "",
    inNamespace: false,
    depth: -1,
  }
}

function verbOf(method: string): string {
  switch (method) {
    case "POST":
      return "create"
    case "GET":
    case "HEAD":
      return "get"
    case "PUT":
      return "update"
    case "PATCH":
      return "patch"
    case "DELETE":
      return "delete"
    default:
      return ""
  }
}

/** Like Go, which splits what it has decoded: an escaped slash parts names as well. */
function splitPath(raw: string): string[] {
  const path = raw.includes("%") ? decode(raw) : raw
  let from = 0
  let to = path.length
  while (from < to && path.charCodeAt(from) === 47) from++
  while (to > from && path.charCodeAt(to - 1) === 47) to--
  if (from === to) return []
  return path.slice(from, to).split("/")
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** The path behind `…/proxy`, decoded, with a slash before it and the one that the request ends with; "" when there is none. */
function restAfterProxy(parts: readonly string[], path: string): string {
  const joined = parts.slice(3).join("/")
  const rooted = joined === "" || joined.startsWith("/") ? joined : `/${joined}`
  return path.endsWith("/") && !rooted.endsWith("/") ? `${rooted}/` : rooted
}

/**
 * `metadata.name=x` alone or among others names one object, so that a rule with resourceNames can match. It is read as
 * the list reads it: what is authorised is what is selected.
 */
export function metadataNameOf(fieldSelector: string | null | undefined): string | undefined {
  if (!fieldSelector || !fieldSelector.includes("metadata.name")) return undefined
  let name: string | undefined
  try {
    name = parseFieldSelector(fieldSelector).exactValue("metadata.name")
  } catch {
    return undefined
  }
  return name !== undefined && isPathSegmentName(name).length === 0 ? name : undefined
}

function isTrue(value: string | null): boolean {
  return value !== null && value !== "false" && value !== "0"
}

const longRunningSubresources = new Set(["attach", "exec", "log", "portforward", "proxy"])

/** Requests that last as long as the client likes: no time-out, and no share of the in-flight bounds. */
export function isLongRunning(info: RequestInfo): boolean {
  return (
    info.isResourceRequest &&
    (info.verb === "watch" || info.verb === "proxy" || longRunningSubresources.has(info.subresource))
  )
}

const readVerbs = new Set(["get", "list", "watch"])

/** Anything but get, list and watch changes something. */
export function isMutating(info: RequestInfo): boolean {
  return !readVerbs.has(info.verb)
}
