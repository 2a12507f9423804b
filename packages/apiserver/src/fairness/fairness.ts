/**
 * Who is served when not all can be: FlowSchemas say which priority level a request is of, and each level has seats of its own.
 * What the objects say counts from the moment they are written. Mirrors: apiserver pkg/util/flowcontrol/apf_controller.go,
 * pkg/server/filters/priority-and-fairness.go
 */
import {
  flowSchema,
  mandatoryFlowSchemas,
  mandatoryPriorityLevels,
  priorityLevelConfiguration,
} from "@knarr/api"
import type { flowcontrolV1 } from "@knarr/api"
import type { Env, Scope } from "@knarr/base"
import type { RequestInfo, UserInfo } from "../contract.ts"
import type { Registry } from "../registry/registry.ts"
import type { Flow, Schema } from "./flow.ts"
import { Level, NoSeat, type LevelSpec, type Ticket } from "./level.ts"
import { allocate, seatLimits, type Shares } from "./limits.ts"
import { FairnessMetrics } from "./metrics.ts"
import { RetryAfter } from "./retry-after.ts"
import { isAboutRequest, isAboutUser } from "./rules.ts"
import { seatsOf } from "./seats.ts"

type LevelObject = Readonly<flowcontrolV1.PriorityLevelConfiguration>
type SchemaObject = Readonly<flowcontrolV1.FlowSchema>

/** What of a request its flow needs to know. */
export interface Asking {
  readonly query: URLSearchParams
  readonly signal: AbortSignal
  readonly path: string
}

/** How often the levels' seats follow what was asked of them. */
const adjustMs = 10_000
/** Users whose schemas are remembered. */
const maxUsers = 10_000
const maxSeatsShare = 0.15

export class Fairness {
  readonly #env: Env
  readonly #registry: Registry
  readonly #serverSeats: number
  readonly #levels = new Map<string, Level>()
  readonly #shares = new Map<Level, Shares>()
  readonly #retryAfter = new Map<string, RetryAfter>()
  readonly #metrics: FairnessMetrics
  #schemas: readonly Schema[] = []
  /** The rules that are about a user, in order. */
  #byUser = new Map<string, readonly (readonly [Schema, flowcontrolV1.PolicyRulesWithSubjects])[]>()
  #catchAll: Schema | undefined
  #nominalSum = 0
  #adjustedAt: number
  fairFraction = 0

  /** `serverSeats`: of all levels together. */
  constructor(env: Env, registry: Registry, serverSeats: number, scope: Scope) {
    this.#env = env
    this.#registry = registry
    this.#serverSeats = serverSeats
    this.#adjustedAt = env.clock.monotonic()
    this.#metrics = new FairnessMetrics(env.meter, scope, this)
    for (const kind of [flowSchema, priorityLevelConfiguration])
      scope.use(registry.onChange(kind, () => this.#digest()))
    this.#digest()
  }

  get levels(): ReadonlyMap<string, Level> {
    return this.#levels
  }

  get schemas(): readonly Schema[] {
    return this.#schemas
  }

  /** The flow that a request is of. */
  flowOf(user: UserInfo, info: RequestInfo): Flow {
    const key = `${user.name}\0${user.groups.join("\0")}`
    let rules = this.#byUser.get(key)
    if (!rules) {
      rules = this.#schemas.flatMap((schema) =>
        schema.rules.filter((rule) => isAboutUser(rule, user)).map((rule) => [schema, rule] as const),
      )
      if (this.#byUser.size >= maxUsers) this.#byUser.clear()
      this.#byUser.set(key, rules)
    }
    const isWatch = info.verb === "watch"
    for (const [schema, rule] of rules) if (isAboutRequest(rule, info)) return { schema, user, isWatch }
    return { schema: this.#catchAll!, user, isWatch }
  }

  /**
   * Seats for a request: at once where there are enough. `waitMs` is how long it may wait. Throws, or rejects with,
   * {@link NoSeat}. {@link leave} gives them back.
   */
  enter({ schema, user }: Flow, info: RequestInfo, asking: Asking, waitMs: number): Ticket | Promise<Ticket> {
    const { level } = schema
    const now = this.#env.clock.monotonic()
    if (now - this.#adjustedAt >= adjustMs) this.#adjust(now)
    const cache =
      info.verb === "list" || info.verb === "watch"
        ? this.#registry.find(info.apiGroup, info.apiVersion, info.resource)?.cache
        : undefined
    const distinguisher =
      schema.distinguisher === "ByUser"
        ? user.name
        : schema.distinguisher === "ByNamespace"
          ? info.namespace
          : ""
    const work = {
      schema: schema.name,
      distinguisher,
      seats: seatsOf(info, () => asking.query, cache, level.maxSeats),
      describe: () => describe(user, info),
    }
    schema.counts.asked(work.seats)
    try {
      const ticket = level.enter(work, now, waitMs, () => asking.signal)
      if (!(ticket instanceof Promise)) {
        schema.counts.entered(0)
        return ticket
      }
      return ticket.then(
        (taken) => {
          schema.counts.entered((taken.startedMs - now) / 1000)
          return taken
        },
        (thrown: unknown) => this.#refused(schema, thrown, now),
      )
    } catch (thrown) {
      return this.#refused(schema, thrown, now)
    }
  }

  leave({ schema, isWatch }: Flow, ticket: Ticket): void {
    const now = this.#env.clock.monotonic()
    schema.level.leave(ticket, now)
    schema.counts.left((now - ticket.startedMs) / 1000, isWatch)
    if (schema.level.quiescing && schema.level.isIdle) this.#digest()
  }

  /** In how many seconds who was refused shall come again. */
  retryAfter({ schema }: Flow): number {
    const { name } = schema.level.spec
    let known = this.#retryAfter.get(name)
    if (!known) this.#retryAfter.set(name, (known = new RetryAfter()))
    return known.refuse(this.#env.clock.monotonic())
  }

  #refused(schema: Schema, thrown: unknown, sinceMs: number): never {
    if (thrown instanceof NoSeat)
      this.#metrics.refused(schema, thrown.reason, (this.#env.clock.monotonic() - sinceMs) / 1000)
    throw thrown
  }

  /** Takes in what the objects say now. */
  #digest(): void {
    const shares = new Map<string, Shares>()
    const wanted = new Map<string, LevelObject>()
    for (const object of this.#registry.list(priorityLevelConfiguration) as readonly LevelObject[])
      if (isWhole(object)) wanted.set(object.metadata.name, object)
    for (const [name, spec] of Object.entries(mandatoryPriorityLevels))
      if (!wanted.has(name)) wanted.set(name, imagined(name, spec))
    for (const [name, object] of wanted) {
      shares.set(name, sharesOf(object.spec!))
      const spec = levelSpec(object)
      const known = this.#levels.get(name)
      if (known) known.configure(spec)
      else this.#levels.set(name, new Level(spec, this.#env.clock))
    }
    for (const [name, level] of this.#levels) {
      level.quiescing = !wanted.has(name)
      if (level.quiescing && level.isIdle) {
        this.#levels.delete(name)
        this.#shares.delete(level)
      } else if (!level.quiescing) this.#shares.set(level, shares.get(name)!)
    }
    this.#limit()
    this.#takeSchemas()
  }

  #limit(): void {
    const all = [...this.#levels.values()]
    const sum = all.reduce((total, level) => total + this.#shares.get(level)!.shares, 0)
    this.#nominalSum = 0
    for (const level of all) {
      const isNew = level.limits.max === 0
      const limits = seatLimits(this.#shares.get(level)!, sum, this.#serverSeats)
      level.limits = limits
      this.#nominalSum += limits.nominal
      const { queuing } = level.spec
      if (queuing)
        level.maxSeats = Math.max(
          1,
          Math.min(
            Math.ceil(limits.nominal * maxSeatsShare),
            Math.floor(limits.nominal / queuing.handSize),
            100,
          ),
        )
      if (isNew) level.seats = limits.nominal - Math.floor((limits.nominal - limits.min) / 2)
    }
    this.#adjust(this.#env.clock.monotonic())
  }

  /** Divides the seats by what was asked for of late. */
  #adjust(nowMs: number): void {
    this.#adjustedAt = nowMs
    const all = [...this.#levels.values()]
    for (const { demand } of all) demand.update(nowMs)
    const claims = all.map(({ spec, limits, demand }) => ({ isExempt: spec.isExempt, limits, demand }))
    const { seats, fairFraction } = allocate(claims, this.#nominalSum)
    this.fairFraction = fairFraction
    for (const [i, level] of all.entries()) level.setSeats(seats[i]!)
  }

  #takeSchemas(): void {
    const objects = this.#registry.list(flowSchema) as readonly SchemaObject[]
    const named = new Set(objects.map(({ metadata }) => metadata.name))
    const imaginedOnes = Object.entries(mandatoryFlowSchemas)
      .filter(([name]) => !named.has(name))
      .map(([name, spec]) => ({ metadata: { name, uid: "" }, spec }))
    const schemas: (Schema & { readonly precedence: number })[] = []
    for (const { metadata, spec } of [...objects, ...imaginedOnes]) {
      const level = this.#levels.get(spec!.priorityLevelConfiguration.name)
      if (!level || level.quiescing) continue
      const { rules = [], distinguisherMethod, matchingPrecedence = 1000 } = spec!
      const distinguisher = distinguisherMethod?.type as Schema["distinguisher"]
      const { name, uid } = metadata
      const counts = this.#metrics.of(level, name)
      schemas.push({ name, uid, level, counts, distinguisher, rules, precedence: matchingPrecedence })
    }
    schemas.sort((a, b) => a.precedence - b.precedence || (a.name < b.name ? -1 : 1))
    this.#schemas = schemas
    this.#catchAll = schemas.find(({ name }) => name === "catch-all")
    this.#byUser = new Map()
  }
}

function describe(user: UserInfo, info: RequestInfo): readonly string[] {
  const { apiGroup, apiVersion, verb, path, namespace, name, resource, subresource } = info
  const version = apiGroup === "" ? apiVersion : `${apiGroup}/${apiVersion}`
  return [user.name, verb, path, namespace, name, version, resource, subresource]
}

function imagined(name: string, spec: flowcontrolV1.PriorityLevelConfigurationSpec): LevelObject {
  return { metadata: { name, uid: "" }, spec } as LevelObject
}

/** Whether the parts that a level must have are there. Mirrors: queueSetCompleterForPL */
function isWhole({ metadata, spec }: LevelObject): boolean {
  if (!spec) return false
  const { type, limited, exempt } = spec
  if ((type === "Limited") !== (limited !== undefined) || (type === "Exempt") !== (exempt !== undefined))
    return false
  if ((type === "Exempt") !== (metadata.name === "exempt")) return false
  const response = limited?.limitResponse
  return !response || (response.type === "Reject") === (response.queuing === undefined)
}

function levelSpec({ metadata, spec }: LevelObject): LevelSpec {
  const queuing = spec!.limited?.limitResponse?.queuing
  return {
    name: metadata.name,
    uid: metadata.uid,
    isExempt: spec!.type === "Exempt",
    queuing: queuing && {
      queues: queuing.queues ?? 64,
      handSize: queuing.handSize ?? 8,
      queueLengthLimit: queuing.queueLengthLimit ?? 50,
    },
  }
}

function sharesOf({ limited, exempt }: flowcontrolV1.PriorityLevelConfigurationSpec): Shares {
  return {
    shares: (limited ?? exempt)?.nominalConcurrencyShares ?? (limited ? 30 : 0),
    lendablePercent: (limited ?? exempt)?.lendablePercent ?? 0,
    borrowingLimitPercent: limited?.borrowingLimitPercent,
  }
}
