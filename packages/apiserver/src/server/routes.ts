/**
 * Which methods a path takes: decided from the path and the served kinds alone, once, for every handler, whoever asks.
 * What is authorised is what is served, because a path that no row here knows reaches no handler.
 * Mirrors: apiserver pkg/endpoints/installer.go registerResourceHandlers
 */
import { badRequest, type Kind, type StatusError } from "@knarr/apimachinery"
import type { RequestInfo } from "../contract.ts"
import { methodNotAllowed, pathNotFound } from "./refusals.ts"

type RouteInfo = Pick<RequestInfo, "prefix" | "inNamespace" | "depth" | "namespace" | "subresource" | "name">

const none: readonly string[] = []
const watchMethods: readonly string[] = ["GET"]
const proxyMethods: readonly string[] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

const collectionMethods = [
  ["list", "GET"],
  ["create", "POST"],
  ["deletecollection", "DELETE"],
] as const
const objectMethods = [
  ["get", "GET"],
  ["update", "PUT"],
  ["patch", "PATCH"],
  ["delete", "DELETE"],
] as const
const subresourceMethods = [...objectMethods, ["create", "POST"]] as const

function methodsOf(
  rows: readonly (readonly [verb: string, method: string])[],
  verbs: readonly string[],
): readonly string[] {
  return rows.filter(([verb]) => verbs.includes(verb)).map(([, method]) => method)
}

/** The HTTP methods that a resource's path takes; none when there is no such path. */
export function methodsOfRoute(kind: Kind | undefined, info: RouteInfo): readonly string[] {
  if (!kind || info.prefix === "proxy") return none
  const { depth } = info
  const inScope = info.inNamespace === kind.namespaced
  // Only what is asked of all namespaces together leaves the namespace out.
  const ofAll = kind.namespaced && !info.inNamespace
  if (info.prefix === "watch") {
    if (!kind.verbs.includes("watch") || depth > 1) return none
    return inScope || (ofAll && depth === 0) ? watchMethods : none
  }
  if (depth === 0) {
    if (ofAll) return methodsOf(collectionMethods.slice(0, 1), kind.verbs)
    return inScope ? methodsOf(collectionMethods, kind.verbs) : none
  }
  if (!inScope) return none
  if (depth === 1) return methodsOf(objectMethods, kind.verbs)
  const subresource = kind.subresources.get(info.subresource)
  if (!subresource) return none
  if (subresource.name === "proxy") return proxyMethods
  return depth === 2 ? methodsOf(subresourceMethods, subresource.verbs) : none
}

/**
 * Why a request has no handler: 404 for its path, 405 for its method, 400 for names that are left out. Undefined when it
 * has one.
 */
export function refusalOfRoute(
  kind: Kind | undefined,
  method: string,
  info: RouteInfo,
): StatusError | undefined {
  const methods = methodsOfRoute(kind, info)
  if (methods.length === 0) return pathNotFound()
  if (!methods.includes(method)) return methodNotAllowed()
  if (info.depth > 0 && info.name === "") return badRequest("name must be provided")
  // `namespaces//pods` may be listed like all of them; nothing else is done in a namespace without a name.
  if (info.inNamespace && info.namespace === "" && (info.depth > 0 || method !== "GET"))
    return badRequest("Namespace parameter required.")
  return undefined
}

const connecting: ReadonlySet<string> = new Set(["pods/attach", "pods/exec", "pods/portforward"])

/**
 * Whether a request needs `create`, whatever its method: a WebSocket always begins with GET, and who may only read
 * must not get into a pod by it. Mirrors: pkg/registry/core/pod/rest/authorize.go
 */
export function needsCreate(info: RequestInfo): boolean {
  return info.apiGroup === "" && connecting.has(`${info.resource}/${info.subresource}`)
}

/** Upgrades that a path's handler takes over: other requests that wish for another protocol are plain ones. */
export function mayUpgrade(info: RequestInfo, protocol: string): boolean {
  if (!info.isResourceRequest || info.apiGroup !== "") return false
  if (info.subresource === "proxy") return true
  const wanted = protocol.toLowerCase()
  if (info.subresource === "log") return wanted === "websocket"
  return needsCreate(info) && (wanted === "websocket" || wanted === "spdy/3.1")
}
