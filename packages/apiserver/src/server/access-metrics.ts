/** What is counted about who asks and what they may. Mirrors: apiserver pkg/endpoints/filters/metrics.go */
import type { Clock, Counter, Histogram, Meter } from "@knarr/base"
import { asError } from "@knarr/base"
import type { Decision, UserInfo } from "../contract.ts"

const buckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i)

/** Users that are told apart; others are counted together, so that the number of labels has a bound. */
const toldApart: ReadonlySet<string> = new Set([
  "admin",
  "client",
  "kube_proxy",
  "kubelet",
  "system:serviceaccount:kube-system:default",
])

export class AccessMetrics {
  readonly #clock: Clock
  readonly #users: Counter
  readonly #authentications: Counter
  readonly #authenticationSeconds: Histogram
  readonly #authorizations: Counter
  readonly #authorizationSeconds: Histogram

  constructor(meter: Meter, clock: Clock) {
    this.#clock = clock
    const labels = ["result"]
    this.#users = meter.counter({
      name: "authenticated_user_requests",
      help: "Counter of authenticated requests broken out by username.",
      labels: ["username"],
    })
    this.#authentications = meter.counter({
      name: "authentication_attempts",
      help: "Counter of authenticated attempts.",
      labels,
    })
    this.#authenticationSeconds = meter.histogram({
      name: "authentication_duration_seconds",
      help: "Authentication duration in seconds broken out by result.",
      labels,
      buckets,
    })
    this.#authorizations = meter.counter({
      name: "authorization_attempts_total",
      help: "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', 'no-opinion' or 'error'.",
      labels,
    })
    this.#authorizationSeconds = meter.histogram({
      name: "authorization_duration_seconds",
      help: "Authorization duration in seconds broken out by result.",
      labels,
      buckets,
    })
  }

  /** Counts one authentication. Throws what `authenticate` throws. */
  authenticate(authenticate: () => UserInfo | Promise<UserInfo>): UserInfo | Promise<UserInfo> {
    const startedAt = this.#clock.monotonic()
    const done = (user: UserInfo): UserInfo => {
      this.#authenticated("success", startedAt)
      const { name } = user
      this.#users.add(1, toldApart.has(name) ? name : name.includes("@") ? "email_id" : "other")
      return user
    }
    const failed = (thrown: unknown): never => {
      this.#authenticated("error", startedAt)
      throw asError(thrown)
    }
    let user: UserInfo | Promise<UserInfo>
    try {
      user = authenticate()
    } catch (thrown) {
      return failed(thrown)
    }
    return user instanceof Promise ? user.then(done, failed) : done(user)
  }

  /** Counts one decision. What `authorize` throws is an error, and no opinion. */
  authorize(authorize: () => Decision | Promise<Decision>): Decision | Promise<Decision> {
    const startedAt = this.#clock.monotonic()
    const done = (decision: Decision): Decision => {
      const result = resultOf(decision)
      this.#authorizations.add(1, result)
      this.#authorizationSeconds.observe((this.#clock.monotonic() - startedAt) / 1000, result)
      return decision
    }
    const failed = (thrown: unknown): Decision =>
      done({ verdict: "noOpinion", reason: "", error: asError(thrown) })
    let decision: Decision | Promise<Decision>
    try {
      decision = authorize()
    } catch (thrown) {
      return failed(thrown)
    }
    return decision instanceof Promise ? decision.then(done, failed) : done(decision)
  }

  #authenticated(result: string, startedAt: number): void {
    this.#authentications.add(1, result)
    this.#authenticationSeconds.observe((this.#clock.monotonic() - startedAt) / 1000, result)
  }
}

function resultOf({ verdict, error }: Decision): string {
  if (verdict === "allow") return "allowed"
  if (error) return "error"
  return verdict === "deny" ? "denied" : "no-opinion"
}
