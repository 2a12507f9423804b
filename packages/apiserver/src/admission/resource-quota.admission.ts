/**
 * Refuses what a namespace's quotas do not allow, and charges them for what they do.
 * Mirrors: apiserver pkg/admission/plugin/resourcequota
 */
import { resourceQuota, type Pod, type ResourceQuota } from "@knarr/api"
import {
  isConflict,
  isNotFound,
  parseQuantity,
  unexpectedError,
  type Kind,
  type KubeObject,
  type Quantity,
} from "@knarr/apimachinery"
import { countsAgainst, inScope, missingResources, usageOf, type QuotaUsage } from "@knarr/pod-rules"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"
import {
  readLimitedResources,
  uncoveredNames,
  uncoveredScopes,
  type LimitedResource,
} from "./resource-quota-limits.ts"

/** How often a quota that others write too is charged again. */
const attempts = 10

export const resourceQuotaAdmission: AdmissionPlugin = {
  name: "ResourceQuota",
  enabledByDefault: true,
  create(deps, configuration) {
    const limited = readLimitedResources(configuration)
    const queues = new Map<string, Promise<void>>()
    const waiting = new Map<string, Waiter[]>()
    return {
      handles: isCounted,
      async validate(a) {
        const { namespace } = a
        if (limited.length === 0 && deps.list(resourceQuota, namespace).length === 0) return
        const waiter: Waiter = { a, done: false, error: undefined }
        // One batch of a namespace at a time: whoever comes while one is at work is checked in the next.
        const batch = waiting.get(namespace)
        if (batch) batch.push(waiter)
        else {
          const next = [waiter]
          waiting.set(namespace, next)
          const turn = (queues.get(namespace) ?? Promise.resolve()).then(async () => {
            waiting.delete(namespace)
            try {
              await checkBatch(deps, limited, namespace, next)
            } catch (thrown) {
              for (const each of next) if (!each.done) each.error = thrown
            }
            if (!waiting.has(namespace)) queues.delete(namespace)
          })
          queues.set(namespace, turn)
        }
        await queues.get(namespace)
        if (waiter.error !== undefined) throw waiter.error
      },
    }
  },
}

interface Waiter {
  readonly a: AdmissionAttributes
  /** Refused, or of no concern to any quota. */
  done: boolean
  /** Why it is refused; undefined when it is not, or not yet. */
  error: unknown
}

/** Virtual resources, and events, that no quota counts. */
const ignored = new Set([
  "/bindings",
  "/componentstatuses",
  "/events",
  "events.k8s.io/events",
  "authorization.k8s.io/localsubjectaccessreviews",
])

/** Whether the request can change what is used. */
function isCounted({
  operation,
  kind,
  subresource,
  namespace,
  object,
  oldObject,
}: AdmissionAttributes): boolean {
  if (operation !== "CREATE" && operation !== "UPDATE") return false
  const id = `${kind.group}/${kind.plural}`
  if (!kind.namespaced || namespace === "" || ignored.has(id)) return false
  const update = operation === "UPDATE"
  switch (id) {
    case "/pods":
      if (subresource === "resize") return update
      if (subresource !== "") return false
      return !update || isTerminating(object as Pod) !== isTerminating(oldObject as Pod)
    case "/persistentvolumeclaims":
      return subresource === "" || (subresource === "status" && update)
    case "/services":
    case "resource.k8s.io/resourceclaims":
      return subresource === ""
    default:
      return subresource === "" && !update
  }
}

function isTerminating({ spec }: Pod): boolean {
  return spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds >= 0
}

/**
 * Checks all, then charges each quota once for all that fit; again with those whose quota was written meanwhile.
 * Rejects when a quota cannot be charged: all that are not done are refused then.
 */
async function checkBatch(
  deps: AdmissionDeps,
  limited: readonly LimitedResource[],
  namespace: string,
  waiters: readonly Waiter[],
): Promise<void> {
  let quotas = deps.list<ResourceQuota>(resourceQuota, namespace)
  for (let attempt = 1; quotas.length > 0 || attempt === 1; attempt++) {
    const used = new Map(quotas.map((quota) => [quota, usedOf(quota)]))
    const before = new Map(used)
    for (const waiter of waiters) if (!waiter.done) check(deps, limited, used, waiter)
    const failed = new Set<string>()
    let error: unknown
    let again = attempt < attempts
    for (const quota of quotas) {
      const next = used.get(quota)!
      if (next === before.get(quota)) continue
      const status = { ...quota.status, used: textsOf(next) }
      try {
        await deps.updateStatus(resourceQuota, { ...quota, status })
      } catch (thrown) {
        error = thrown
        again &&= isConflict(thrown) || isNotFound(thrown)
        failed.add(quota.metadata.name)
      }
    }
    if (failed.size === 0) break
    if (!again) throw error
    quotas = deps
      .list<ResourceQuota>(resourceQuota, namespace)
      .filter((quota) => failed.has(quota.metadata.name))
  }
}

/** Sets the waiter's refusal, or what is used of each quota once it has its share. */
function check(
  { env }: AdmissionDeps,
  limited: readonly LimitedResource[],
  used: Map<Readonly<ResourceQuota>, QuotaUsage>,
  waiter: Waiter,
): void {
  const { a } = waiter
  const { kind } = a
  const object = a.object!
  const nowMs = env.clock.now()
  const refuse = (why: string): void => {
    waiter.done = true
    waiter.error = refusal(a, why)
  }
  const pertinent: { quota: Readonly<ResourceQuota>; limits: string[] }[] = []
  for (const quota of used.keys()) {
    const limits = limitsOf(quota, kind)
    if (limits.length === 0 || !inScope(quota, kind, object)) continue
    const { name } = quota.metadata
    const missing = kind.group === "" && kind.kind === "Pod" ? missingResources(object as Pod, limits) : ""
    if (missing !== "") return refuse(`failed quota: ${name}: ${missing}`)
    if (limits.some((limit) => quota.status.used?.[limit] === undefined))
      return refuse(`status unknown for quota: ${name}, resources: ${limits.join(",")}`)
    pertinent.push({ quota, limits })
  }
  const usage = usageOf(kind, object, nowMs)
  const negative = [...usage].filter(([, amount]) => amount.sign() < 0).map(([name]) => name)
  if (negative.length > 0)
    return refuse(`quota usage is negative for resource(s): ${negative.sort().join(",")}`)
  const old = a.operation === "UPDATE" ? a.oldObject : undefined
  const more = old ? increase(usage, usageOf(kind, old, nowMs)) : usage
  const deltaOf = (quota: Readonly<ResourceQuota>): QuotaUsage =>
    old && inScope(quota, kind, old as KubeObject) ? more : usage
  const deltas = pertinent.length > 0 ? pertinent.map(({ quota }) => deltaOf(quota)) : [more]
  if (limited.length > 0 && deltas.some((delta) => [...delta.values()].some((amount) => !amount.isZero()))) {
    const covered = new Set(pertinent.flatMap(({ limits }) => limits))
    const names = uncoveredNames(limited, kind, usage, covered)
    if (names.length > 0) return refuse(`insufficient quota to consume: ${names.join(",")}`)
    const scopes = uncoveredScopes(limited, kind, object, used.keys())
    if (scopes.length > 0) {
      waiter.done = true
      waiter.error = unexpectedError(`insufficient quota to match these scopes: [${scopes.join(" ")}]`)
      return
    }
  }
  const charged = new Map<Readonly<ResourceQuota>, QuotaUsage>()
  for (const { quota, limits } of pertinent) {
    const delta = deltaOf(quota)
    const requested = [...delta].filter(([name, amount]) => !amount.isZero() && quota.status.hard?.[name])
    if (requested.length === 0 || limits.length === 0) continue
    const present = used.get(quota)!
    const next: QuotaUsage = new Map(present)
    for (const [name, amount] of requested) next.set(name, present.get(name)?.add(amount) ?? amount)
    const hard = (name: string): Quantity => parseQuantity(quota.status.hard![name]!)
    const exceeded = requested.map(([name]) => name).filter((name) => next.get(name)!.compare(hard(name)) > 0)
    if (exceeded.length > 0 && a.subresource !== "status") {
      const list = (amountOf: (name: string) => Quantity | undefined): string =>
        exceeded
          .sort()
          .map((name) => `${name}=${amountOf(name)}`)
          .join(",")
      return refuse(
        `exceeded quota: ${quota.metadata.name}, requested: ${list((name) => delta.get(name))}, ` +
          `used: ${list((name) => present.get(name))}, limited: ${list(hard)}`,
      )
    }
    charged.set(quota, next)
  }
  if (charged.size === 0) waiter.done = true
  else if (!a.dryRun) for (const [quota, next] of charged) used.set(quota, next)
}

/** Names of the limits of the quota that concern the kind, sorted. */
function limitsOf({ status }: Readonly<ResourceQuota>, kind: Kind): string[] {
  return Object.keys(status?.hard ?? {})
    .filter((name) => countsAgainst(kind, name))
    .sort()
}

/** What `now` has beyond `before`; zero where it has less. */
function increase(now: QuotaUsage, before: QuotaUsage): QuotaUsage {
  const out: QuotaUsage = new Map()
  for (const [name, amount] of now) {
    const had = before.get(name)
    const delta = had ? amount.sub(had) : amount
    if (delta.sign() > 0) out.set(name, delta)
  }
  return out
}

function usedOf({ status }: Readonly<ResourceQuota>): QuotaUsage {
  return new Map(Object.entries(status?.used ?? {}).map(([name, text]) => [name, parseQuantity(text)]))
}

function textsOf(usage: QuotaUsage): Record<string, string> {
  return Object.fromEntries([...usage].map(([name, amount]) => [name, amount.toString()]))
}
