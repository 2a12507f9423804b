/**
 * Fills in and checks the resources of pods and claims by the namespace's LimitRanges.
 * Mirrors: plugin/pkg/admission/limitranger
 */
import { limitRange, persistentVolumeClaim, pod } from "@knarr/api"
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from "@knarr/api"
import { aggregate, type Quantity, compareQuantities, parseQuantity, sameResource } from "@knarr/apimachinery"
import type { AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

type ResourceList = Readonly<Record<string, string>>

export const limitRanger: AdmissionPlugin = {
  name: "LimitRanger",
  enabledByDefault: true,
  create: ({ list }) => ({
    handles: (a) =>
      (a.subresource === "" &&
        ((a.operation === "CREATE" &&
          (sameResource(a.kind, pod) || sameResource(a.kind, persistentVolumeClaim))) ||
          (a.operation === "UPDATE" && sameResource(a.kind, persistentVolumeClaim)))) ||
      (a.subresource === "resize" && a.operation === "UPDATE" && sameResource(a.kind, pod)),
    admit(a) {
      // A resize is checked, and changes only what it says.
      if (!sameResource(a.kind, pod) || a.operation !== "CREATE") return
      for (const range of list<LimitRange>(limitRange, a.namespace)) applyDefaults(a.object as Pod, range)
    },
    validate(a) {
      const errors: string[] = []
      for (const range of list<LimitRange>(limitRange, a.namespace)) {
        for (const item of range.spec?.limits ?? []) {
          if (sameResource(a.kind, pod)) checkPod(a.object as Pod, item, errors)
          else checkClaim(a.object as PersistentVolumeClaim, item, errors)
        }
      }
      if (errors.length > 0) throw refusal(a, aggregate(errors))
    },
  }),
}

function applyDefaults(obj: Pod, range: Readonly<LimitRange>): void {
  const limits: Record<string, string> = {}
  const requests: Record<string, string> = {}
  for (const item of range.spec?.limits ?? []) {
    if (item.type !== "Container") continue
    for (const key in item.defaultRequest) requests[key] ??= item.defaultRequest[key]!
    for (const key in item.default) limits[key] ??= item.default[key]!
  }
  const notes: string[] = []
  const merge = (container: Container, what: string): void => {
    const fill = (part: "requests" | "limits", defaults: ResourceList): string[] => {
      const present = container.resources?.[part] ?? {}
      const added = Object.keys(defaults).filter((key) => present[key] === undefined)
      if (added.length === 0) return []
      container.resources = { ...container.resources, [part]: { ...present } }
      for (const key of added) container.resources[part]![key] = defaults[key]!
      return added.sort()
    }
    const setLimits = fill("limits", limits)
    const setRequests = fill("requests", requests)
    if (setRequests.length > 0) notes.push(`${setRequests.join(", ")} request for ${what} ${container.name}`)
    if (setLimits.length > 0) notes.push(`${setLimits.join(", ")} limit for ${what} ${container.name}`)
  }
  for (const container of obj.spec.containers) merge(container, "container")
  for (const container of obj.spec.initContainers ?? []) merge(container, "init container")
  if (notes.length > 0)
    obj.metadata.annotations = {
      ...obj.metadata.annotations,
      "kubernetes.io/limit-ranger": `LimitRanger plugin set: ${notes.join("; ")}`,
    }
}

function checkPod(obj: Pod, item: LimitRangeItem, errors: string[]): void {
  if (item.type === "Container") {
    for (const container of [...obj.spec.containers, ...(obj.spec.initContainers ?? [])])
      check(item, container.resources?.requests ?? {}, container.resources?.limits ?? {}, errors)
  } else if (item.type === "Pod") {
    check(item, podSum(obj, "requests"), podSum(obj, "limits"), errors)
  }
}

function checkClaim(obj: PersistentVolumeClaim, item: LimitRangeItem, errors: string[]): void {
  if (item.type !== "PersistentVolumeClaim") return
  const requests = obj.spec.resources?.requests ?? {}
  const text = (kind: string, key: string, bound: string): string =>
    `${kind} ${key} usage per ${item.type} is ${bound}`
  for (const key of keysOf(item.min)) {
    const bound = item.min![key]!
    const request = requests[key]
    if (request === undefined) errors.push(`${text("minimum", key, bound)}.  No request is specified`)
    else if (compare(request, bound) < 0)
      errors.push(`${text("minimum", key, bound)}, but request is ${request}`)
  }
  for (const key of keysOf(item.max)) {
    const bound = item.max![key]!
    const request = requests[key]
    if (request === undefined) errors.push(`${text("maximum", key, bound)}.  No request is specified`)
    else if (compare(request, bound) > 0)
      errors.push(`${text("maximum", key, bound)}, but request is ${request}`)
  }
}

function check(item: LimitRangeItem, requests: ResourceList, limits: ResourceList, errors: string[]): void {
  const { type } = item
  for (const key of keysOf(item.min)) {
    const bound = item.min![key]!
    const request = requests[key]
    const limit = limits[key]
    const text = `minimum ${key} usage per ${type} is ${bound}`
    if (request === undefined) errors.push(`${text}.  No request is specified`)
    else if (compare(request, bound) < 0) errors.push(`${text}, but request is ${request}`)
    else if (limit !== undefined && compare(limit, bound) < 0) errors.push(`${text}, but limit is ${limit}`)
  }
  for (const key of keysOf(item.max)) {
    const bound = item.max![key]!
    const request = requests[key]
    const limit = limits[key]
    const text = `maximum ${key} usage per ${type} is ${bound}`
    if (limit === undefined) errors.push(`${text}.  No limit is specified`)
    else if (compare(limit, bound) > 0) errors.push(`${text}, but limit is ${limit}`)
    else if (request !== undefined && compare(request, bound) > 0)
      errors.push(`${text}, but request is ${request}`)
  }
  for (const key of keysOf(item.maxLimitRequestRatio)) {
    const bound = item.maxLimitRequestRatio![key]!
    const request = milli(requests[key])
    const limit = milli(limits[key])
    const text = `${key} max limit to request ratio per ${type} is ${bound}, but`
    if (request === 0) errors.push(`${text} no request is specified or request is 0`)
    else if (limit === 0) errors.push(`${text} no limit is specified or limit is 0`)
    else if (limit / request > milli(bound) / 1000)
      errors.push(`${text} provided ratio is ${(limit / request).toFixed(6)}`)
  }
}

function keysOf(list: ResourceList | undefined): string[] {
  return Object.keys(list ?? {}).sort()
}

function compare(a: string, b: string): number {
  return compareQuantities(parseQuantity(a), parseQuantity(b))
}

function milli(text: string | undefined): number {
  return text === undefined ? 0 : Number(parseQuantity(text).scaledValue(-3))
}

/** What a pod asks for in all: its containers together, or its hungriest init container beside the sidecars before it. */
function podSum(obj: Pod, part: "requests" | "limits"): ResourceList {
  const total = new Map<string, Quantity>()
  const add = (into: Map<string, Quantity>, list: ResourceList | undefined): void => {
    for (const key in list) {
      const value = parseQuantity(list[key]!)
      const present = into.get(key)
      into.set(key, present ? present.add(value) : value)
    }
  }
  const raise = (list: Map<string, Quantity>): void => {
    for (const [key, value] of list) {
      const present = peak.get(key)
      if (!present || compareQuantities(value, present) > 0) peak.set(key, value)
    }
  }
  const peak = new Map<string, Quantity>()
  const sidecars = new Map<string, Quantity>()
  for (const container of obj.spec.containers) add(total, container.resources?.[part])
  for (const container of obj.spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      add(total, container.resources?.[part])
      add(sidecars, container.resources?.[part])
      raise(sidecars)
    } else {
      const now = new Map(sidecars)
      add(now, container.resources?.[part])
      raise(now)
    }
  }
  for (const [key, value] of peak) {
    const present = total.get(key)
    if (!present || compareQuantities(value, present) > 0) total.set(key, value)
  }
  const out: Record<string, string> = {}
  for (const [key, value] of total) out[key] = value.toString()
  return out
}
