/** What is counted about admission. Mirrors: apiserver pkg/admission/metrics/metrics.go (names and labels) */
import type { Clock, Counter, Env, Histogram } from "@knarr/base"

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5]
/** Codes beyond it are counted as it, and negative ones as 0: their number has a bound. */
const highestCode = 600

const codeLabel = (code: number): string => String(Math.max(0, Math.min(code, highestCode)))
const secondsSince = (clock: Clock, startMs: number): number => (clock.monotonic() - startMs) / 1000

/** How long the steps and the plugins of the chain take. */
export class ChainMetrics {
  readonly #clock: Clock
  readonly #steps: Histogram
  readonly #plugins: Histogram

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">) {
    this.#clock = clock
    this.#steps = meter.histogram({
      name: "apiserver_admission_step_admission_duration_seconds",
      help: "Admission sub-step latency histogram in seconds, broken out for each operation and API resource and step type (validate or admit).",
      labels: ["operation", "rejected", "type"],
      buckets,
      stability: "STABLE",
    })
    this.#plugins = meter.histogram({
      name: "apiserver_admission_controller_admission_duration_seconds",
      help: "Admission controller latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).",
      labels: ["name", "operation", "rejected", "type"],
      buckets,
      stability: "STABLE",
    })
  }

  /** Runs a step of the chain, or with a name a plugin in it. No promise where there is none. */
  timed(
    type: "admit" | "validate",
    operation: string,
    plugin: string | undefined,
    run: () => void | Promise<void>,
  ): void | Promise<void> {
    const startMs = this.#clock.monotonic()
    const done = (rejected: string): void => {
      const seconds = secondsSince(this.#clock, startMs)
      if (plugin === undefined) this.#steps.observe(seconds, operation, rejected, type)
      else this.#plugins.observe(seconds, plugin, operation, rejected, type)
    }
    const failed = (thrown: unknown): never => {
      done("true")
      throw thrown
    }
    try {
      const wait = run()
      if (wait) return wait.then(() => done("false"), failed)
    } catch (thrown) {
      return failed(thrown)
    }
    done("false")
  }
}

/** Whose conditions are counted. */
export interface ConditionsOwner {
  readonly name: string
  readonly kind: "webhook" | "policy"
  readonly type: "admit" | "validate"
}

export class MatchConditionMetrics {
  readonly #clock: Clock
  readonly #seconds: Histogram
  readonly #errors: Counter
  readonly #exclusions: Counter

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">) {
    this.#clock = clock
    const labels = ["name", "kind", "type", "operation"]
    const of =
      "identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit)."
    this.#errors = meter.counter({
      name: "apiserver_admission_match_condition_evaluation_errors_total",
      help: `Admission match condition evaluation errors count, ${of}`,
      labels,
    })
    this.#exclusions = meter.counter({
      name: "apiserver_admission_match_condition_exclusions_total",
      help: `Admission match condition evaluation exclusions count, ${of}`,
      labels,
    })
    this.#seconds = meter.histogram({
      name: "apiserver_admission_match_condition_evaluation_seconds",
      help: "Admission match condition evaluation time in seconds, identified by name and broken out for each kind containing matchConditions (webhook or policy), operation and type (validate or admit).",
      labels,
      buckets: [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25],
    })
  }

  /** Call what comes back when all conditions are evaluated. */
  evaluating({ name, kind, type }: ConditionsOwner, operation: string): () => void {
    const startMs = this.#clock.monotonic()
    return () => this.#seconds.observe(secondsSince(this.#clock, startMs), name, kind, type, operation)
  }

  failed({ name, kind, type }: ConditionsOwner, operation: string): void {
    this.#errors.add(1, name, kind, type, operation)
  }

  excluded({ name, kind, type }: ConditionsOwner, operation: string): void {
    this.#exclusions.add(1, name, kind, type, operation)
  }
}

/** How a call of a webhook ended. */
export interface WebhookCall {
  readonly name: string
  readonly type: "admit" | "validating"
  readonly operation: string
  readonly startMs: number
}

export class WebhookMetrics {
  readonly #clock: Clock
  readonly #seconds: Histogram
  readonly #requests: Counter
  readonly #rejections: Counter
  readonly #failOpen: Counter

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">) {
    this.#clock = clock
    this.#seconds = meter.histogram({
      name: "apiserver_admission_webhook_admission_duration_seconds",
      help: "Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).",
      labels: ["name", "operation", "rejected", "type"],
      buckets: [...buckets, 10, 25],
      stability: "STABLE",
    })
    this.#requests = meter.counter({
      name: "apiserver_admission_webhook_request_total",
      help: "Admission webhook request total, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify whether the request was rejected or not and an HTTP status code. Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.",
      labels: ["code", "name", "operation", "rejected", "type"],
    })
    this.#rejections = meter.counter({
      name: "apiserver_admission_webhook_rejection_count",
      help: "Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify an error type (calling_webhook_error or apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code is greater or equal to 400). Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.",
      labels: ["error_type", "name", "operation", "rejection_code", "type"],
    })
    this.#failOpen = meter.counter({
      name: "apiserver_admission_webhook_fail_open_count",
      help: "Admission webhook fail open count, identified by name and broken out for each admission type (validating or admit).",
      labels: ["name", "type"],
    })
  }

  begin(name: string, type: WebhookCall["type"], operation: string): WebhookCall {
    return { name, type, operation, startMs: this.#clock.monotonic() }
  }

  /** `code` is of the webhook's Status, 200 when it allows. */
  answered({ name, type, operation, startMs }: WebhookCall, rejected: boolean, code: number): void {
    this.#seconds.observe(secondsSince(this.#clock, startMs), name, operation, String(rejected), type)
    this.#requests.add(1, codeLabel(code), name, operation, String(rejected), type)
  }

  rejected({ name, type, operation }: WebhookCall, error: string, code: number): void {
    this.#rejections.add(1, error, name, operation, codeLabel(code), type)
  }

  failedOpen({ name, type }: WebhookCall): void {
    this.#failOpen.add(1, name, type)
  }
}

/** How the checks of policies end. Mirrors: plugin/policy/{validating,mutating}/metrics */
export class PolicyMetrics {
  readonly #clock: Clock
  readonly #checks: Counter
  readonly #seconds: Histogram

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">, which: "validating" | "mutating") {
    this.#clock = clock
    const validating = which === "validating"
    const labels = [...(validating ? ["enforcement_action"] : []), "error_type", "policy", "policy_binding"]
    const stability = validating ? "BETA" : "ALPHA"
    this.#checks = meter.counter({
      name: `apiserver_${which}_admission_policy_check_total`,
      help: validating
        ? "Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken."
        : "Mutation admission policy check total, labeled by policy and further identified by binding.",
      labels,
      stability,
    })
    this.#seconds = meter.histogram({
      name: `apiserver_${which}_admission_policy_check_duration_seconds`,
      help: validating
        ? "Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken."
        : "Mutation admission latency for individual mutation expressions in seconds, labeled by policy and binding.",
      labels,
      buckets: [0.0000005, 0.001, 0.01, 0.1, 1],
      stability,
    })
  }

  now(): number {
    return this.#clock.monotonic()
  }

  /** `message` says what is wrong; "" for nothing. `action` is what a validating policy did about it. */
  checked(elapsedMs: number, policy: string, binding: string, message: string, action?: string): void {
    const values = [...(action === undefined ? [] : [action]), errorType(message), policy, binding]
    this.#checks.add(1, ...values)
    this.#seconds.observe(elapsedMs / 1000, ...values)
  }
}

function errorType(message: string): string {
  if (message === "") return "no_error"
  if (message.startsWith("compilation")) return "compile_error"
  return message.startsWith("validation failed due to running out of cost budget")
    ? "out_of_budget"
    : "invalid_error"
}
