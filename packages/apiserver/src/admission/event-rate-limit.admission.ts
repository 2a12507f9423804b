/** How many events may be written. Mirrors: plugin/pkg/admission/eventratelimit */
import {
  aggregate,
  aggregateMessage,
  field,
  type FieldError,
  type KubeObject,
  tooManyRequests,
} from "@knarr/apimachinery"
import { TokenBucket, type Clock } from "@knarr/base"
import { decodeConfig, type ConfigType } from "@knarr/client"
import type { AdmissionAttributes, AdmissionPlugin } from "../contract.ts"

interface Limit {
  readonly type?: string
  readonly qps?: number
  readonly burst?: number
  readonly cacheSize?: number
}

const type: ConfigType = {
  apiVersions: ["eventratelimit.admission.k8s.io/v1alpha1"],
  kind: "Configuration",
  packageName: "io.k8s.eventratelimit.v1alpha1",
  table: {
    Configuration: { apiVersion: "string", kind: "string", limits: "[]Limit" },
    Limit: { burst: "int32", cacheSize: "int32", qps: "int32", type: "string" },
  },
}

interface Event extends KubeObject {
  readonly source?: { readonly component?: string; readonly host?: string }
  readonly involvedObject?: {
    readonly kind?: string
    readonly namespace?: string
    readonly name?: string
    readonly uid?: string
    readonly apiVersion?: string
  }
}

/** What shares a limit, by its type. */
const keys: Readonly<Record<string, (a: AdmissionAttributes) => string>> = {
  Server: () => "",
  Namespace: ({ namespace }) => namespace,
  User: ({ user }) => user.name,
  SourceAndObject({ object }) {
    const { source = {}, involvedObject: of = {} } = (object ?? {}) as Event
    return [source.component, source.host, of.kind, of.namespace, of.name, of.uid, of.apiVersion].join("")
  },
}

const defaultCacheSize = 4096

export const eventRateLimit: AdmissionPlugin = {
  name: "EventRateLimit",
  enabledByDefault: false,
  create({ env }, configuration) {
    const { limits = [] } =
      configuration === undefined ? {} : decodeConfig<{ limits?: readonly Limit[] }>(configuration, type)
    const errors = limitErrors(limits)
    if (errors.length > 0) throw new Error(aggregateMessage(errors))
    const enforcers = limits.map((limit) => new Enforcer(limit, env.clock))
    return {
      handles: (a) =>
        (a.operation === "CREATE" || a.operation === "UPDATE") && a.kind.kind === "Event" && !a.dryRun,
      validate(a) {
        const reached = enforcers.flatMap((enforcer) => enforcer.refusal(a) ?? [])
        if (reached.length > 0) throw tooManyRequests(aggregate(reached), 0)
      },
    }
  },
}

function limitErrors(limits: readonly Limit[]): FieldError[] {
  const out: FieldError[] = []
  if (limits.length === 0) out.push(field.invalid("limits", null, "must not be empty"))
  for (const [i, { type: kind = "", qps = 0, burst = 0, cacheSize = 0 }] of limits.entries()) {
    const at = `limits[${i}]`
    if (!keys[kind]) out.push(field.notSupported(`${at}.type`, kind, Object.keys(keys)))
    if (burst <= 0) out.push(field.invalid(`${at}.burst`, burst, "must be positive"))
    if (qps <= 0) out.push(field.invalid(`${at}.qps`, qps, "must be positive"))
    if (kind !== "Server" && cacheSize < 0)
      out.push(field.invalid(`${at}.cacheSize`, cacheSize, "must not be negative"))
  }
  return out
}

/** One limit; the keys that were not met for longest are forgotten. */
class Enforcer {
  readonly #type: string
  readonly #perSecond: number
  readonly #burst: number
  readonly #most: number
  readonly #clock: Clock
  readonly #buckets = new Map<string, TokenBucket>()

  constructor({ type: kind = "", qps = 0, burst = 0, cacheSize }: Limit, clock: Clock) {
    this.#type = kind
    this.#perSecond = qps
    this.#burst = burst
    this.#most = cacheSize || defaultCacheSize
    this.#clock = clock
  }

  /** Takes one; says why there is none left. */
  refusal(a: AdmissionAttributes): string | undefined {
    const key = keys[this.#type]!(a)
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#clock, this.#perSecond, this.#burst)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#most) this.#buckets.delete(this.#buckets.keys().next().value!)
    return bucket.take() > 0 ? `limit reached on type ${this.#type} for key ${key}` : undefined
  }
}
