/**
 * One autoscaler, looked at once: what its target has, what its metrics ask for, what its limits let be done.
 * Mirrors: pkg/controller/podautoscaler/horizontal.go (reconcileAutoscaler)
 */
import { horizontalPodAutoscaler, pod, type HorizontalPodAutoscaler, type MetricStatus } from "@knarr/api"
import {
  parseQuantity,
  parseSelector,
  refKey,
  refOf,
  semanticEqual,
  type Selector,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { ReconcileContext } from "@knarr/controller-kit"
import { AutoscalerMetrics, type Action, type Failure } from "./autoscaler-metrics.ts"
import { AutoscalerStatus } from "./autoscaler-status.ts"
import { computeMetric, MetricFailure, type Asked } from "./compute-metrics.ts"
import { limit } from "./limits.ts"
import { MetricsClient } from "./metrics-client.ts"
import type { Patience } from "./pod-groups.ts"
import type { Tolerances } from "./replica-calculator.ts"
import { rescale, scaleTargetOf, TargetFailure, type ScaleTarget } from "./scale-target.ts"
import { createScalingHistory, recordChange, type ScalingHistory } from "./scaling-history.ts"

export interface AutoscalingOptions extends Patience {
  readonly tolerance: number
  readonly downscaleStabilizationMs: number
}

interface Computed {
  readonly replicas: number
  readonly name: string
  readonly statuses: readonly MetricStatus[]
  /** Of metrics that say nothing, where the others were enough. */
  readonly failure: Error | undefined
}

/** All that failed: the condition is set, and what is known of the metrics. */
class NothingComputed extends Error {
  readonly statuses: readonly MetricStatus[]

  constructor(cause: Error, statuses: readonly MetricStatus[]) {
    super(cause.message, { cause })
    this.statuses = statuses
  }
}

/** What is remembered of autoscalers between looks, for one run of the controller. */
export class Autoscaling {
  readonly #ctx: ReconcileContext
  readonly #options: AutoscalingOptions
  readonly #client: MetricsClient
  readonly #metrics: AutoscalerMetrics
  readonly #histories = new Map<string, ScalingHistory>()
  /** Of the targets that were seen last, by key: pods that two of them match belong to neither. */
  readonly #selectors = new Map<string, Selector>()

  constructor(ctx: ReconcileContext, options: AutoscalingOptions) {
    this.#ctx = ctx
    this.#options = options
    this.#client = new MetricsClient(ctx)
    this.#metrics = new AutoscalerMetrics(ctx.meter)
  }

  forget(key: string): void {
    this.#histories.delete(key)
    this.#selectors.delete(key)
    const at = key.indexOf("/")
    this.#metrics.forget(key.slice(0, at), key.slice(at + 1))
  }

  /** Rejects with what the log is to say. */
  async look(autoscaler: Readonly<HorizontalPodAutoscaler>): Promise<void> {
    const { clock } = this.#ctx
    const startMs = clock.monotonic()
    let action: Action = "none"
    let failure: Failure = "none"
    try {
      action = await this.#look(autoscaler, (done) => (action = done))
    } catch (thrown) {
      failure = thrown instanceof TargetFailure && thrown.isSpec ? "spec" : "internal"
      throw thrown
    } finally {
      this.#metrics.reconciled(action, failure, (clock.monotonic() - startMs) / 1000)
    }
  }

  async #look(
    autoscaler: Readonly<HorizontalPodAutoscaler>,
    acted: (action: Action) => void,
  ): Promise<Action> {
    const { clock, recorder } = this.#ctx
    const { spec, metadata } = autoscaler
    const { namespace = "", name } = metadata
    const key = refKey(refOf(autoscaler))
    const status = new AutoscalerStatus(autoscaler, clock.now())
    const target = await this.#target(autoscaler, status)
    const current = target.scale.spec?.replicas ?? 0
    let history = this.#histories.get(key)
    if (!history) this.#histories.set(key, (history = createScalingHistory(current, clock.now())))

    const min = spec.minReplicas ?? 1
    const max = spec.maxReplicas
    const canBeZero = (spec.metrics ?? []).some(({ type }) => type === "Object" || type === "External")
    const wasScaledToZero = status.isScaledToZero
    let desired = 0
    let why = ""
    let isRescaled = true
    let computed: Computed | undefined
    if (current === 0 && !(wasScaledToZero && (min !== 0 || canBeZero))) {
      isRescaled = false
      status.set("ScalingActive", false, {
        reason: "ScalingDisabled",
        message: "scaling is disabled since the replica count of the target is zero",
      })
    } else if (current !== 0 && current > max) {
      why = "Current number of replicas above Spec.MaxReplicas"
      desired = max
    } else if (current !== 0 && current < min) {
      why = "Current number of replicas below Spec.MinReplicas"
      desired = min
    } else {
      computed = await this.#compute(autoscaler, target, status)
      const wish = Math.max(0, computed.replicas)
      if (wish > current) why = `${computed.name} above target`
      if (wish < current) why = "All metrics below target"
      const { downscaleStabilizationMs } = this.#options
      const limited = limit(
        { current, desired: wish, min, max, downscaleStabilizationMs, nowMs: clock.now() },
        history,
        spec.behavior,
      )
      desired = limited.replicas
      status.set("AbleToScale", true, limited.able)
      status.set("ScalingLimited", limited.limited.isLimited, limited.limited)
      if (current === 0 && min !== 0 && wasScaledToZero && desired < min) {
        desired = min
        why ||= "Current number of replicas below Spec.MinReplicas"
      }
      isRescaled = desired !== current
    }
    const statuses = computed?.statuses ?? []
    if (isRescaled) {
      try {
        await rescale(target, desired, this.#ctx)
      } catch (thrown) {
        if (this.#ctx.signal.aborted) throw thrown
        const error = messageOf(thrown)
        recorder.event(
          autoscaler,
          "Warning",
          "FailedRescale",
          `New size: ${desired}; reason: ${why}; error: ${error}`,
        )
        status.set("AbleToScale", false, {
          reason: "FailedUpdateScale",
          message: `the HPA controller was unable to update the target scale: ${error}`,
        })
        status.found(current, undefined, statuses, false)
        await this.#write(autoscaler, status)
        throw new Error(`failed to rescale ${referenceOf(autoscaler)}: ${error}`, { cause: thrown })
      }
      status.set("AbleToScale", true, {
        reason: "SucceededRescale",
        message: `the HPA controller was able to update the target scale to ${desired}`,
      })
      recorder.event(autoscaler, "Normal", "SuccessfulRescale", `New size: ${desired}; reason: ${why}`)
      const { scaleUp, scaleDown } = spec.behavior ?? {}
      if (desired > current && scaleUp) recordChange(history.ups, desired - current, scaleUp, clock.now())
      if (desired < current && scaleDown)
        recordChange(history.downs, current - desired, scaleDown, clock.now())
      const isZero = current > 0 && desired === 0 && min === 0 && canBeZero
      status.set("ScaledToZero", isZero, {
        reason: isZero ? "ScaledToZero" : "NotScaledToZero",
        message: `the HPA controller ${isZero ? "scaled" : "did not scale"} the workload to zero`,
      })
    } else desired = current
    status.found(current, desired, statuses, isRescaled)
    this.#metrics.desired(namespace, name, desired)
    const action = actionOf(isRescaled ? desired : current, current)
    acted(action)
    await this.#write(autoscaler, status)
    if (computed?.failure) throw computed.failure
    return action
  }

  async #target(
    autoscaler: Readonly<HorizontalPodAutoscaler>,
    status: AutoscalerStatus,
  ): Promise<ScaleTarget> {
    const { spec, metadata } = autoscaler
    try {
      const target = await scaleTargetOf(spec.scaleTargetRef, metadata.namespace ?? "", this.#ctx)
      status.set("AbleToScale", true, {
        reason: "SucceededGetScale",
        message: "the HPA controller was able to get the target's current scale",
      })
      return target
    } catch (thrown) {
      if (!(thrown instanceof TargetFailure)) throw thrown
      this.#ctx.recorder.event(autoscaler, "Warning", "FailedGetScale", thrown.said)
      status.set("AbleToScale", false, {
        reason: "FailedGetScale",
        message: `the HPA controller was unable to get the target's current scale: ${thrown.said}`,
      })
      await this.#write(autoscaler, status)
      throw thrown
    }
  }

  /** The most that one of the metrics asks for. Rejects when there are none that tell, or too few to go down. */
  async #compute(
    autoscaler: Readonly<HorizontalPodAutoscaler>,
    target: ScaleTarget,
    status: AutoscalerStatus,
  ): Promise<Computed> {
    try {
      return await this.#computeAll(autoscaler, target, status)
    } catch (thrown) {
      if (this.#ctx.signal.aborted) throw thrown
      const error = messageOf(thrown)
      const statuses = thrown instanceof NothingComputed ? thrown.statuses : []
      status.found(target.scale.spec?.replicas ?? 0, undefined, statuses, false)
      await this.#write(autoscaler, status)
      this.#ctx.recorder.event(autoscaler, "Warning", "FailedComputeMetricsReplicas", error)
      throw new Error(
        `failed to compute desired number of replicas based on listed metrics for ${referenceOf(autoscaler)}: ${error}`,
        { cause: thrown },
      )
    }
  }

  async #computeAll(
    autoscaler: Readonly<HorizontalPodAutoscaler>,
    { scale }: ScaleTarget,
    status: AutoscalerStatus,
  ): Promise<Computed> {
    const { clock, cache, recorder, signal } = this.#ctx
    const { spec, metadata } = autoscaler
    const selector = this.#selector(autoscaler, scale.status?.selector ?? "", status)
    const specReplicas = scale.spec?.replicas ?? 0
    const specs = spec.metrics ?? []
    const statuses: MetricStatus[] = specs.map(() => ({ type: "" }))
    const failures: MetricFailure[] = []
    let replicas = 0
    let best = ""
    for (const [i, one] of specs.entries()) {
      const asked: Asked = {
        autoscaler,
        specReplicas,
        statusReplicas: scale.status?.replicas ?? 0,
        selector,
        pods: cache
          .list(pod, { namespace: metadata.namespace })
          .filter((candidate) => selector.matches(candidate.metadata.labels)),
        tolerances: this.#tolerances(autoscaler),
        patience: this.#options,
        nowMs: clock.now(),
        metrics: this.#client,
      }
      const startMs = clock.monotonic()
      const told = (action: Action, failure: Failure): void =>
        this.#metrics.computed(action, failure, one.type, (clock.monotonic() - startMs) / 1000)
      try {
        const answer = await computeMetric(one, asked)
        statuses[i] = answer.status
        told(actionOf(answer.replicas, autoscaler.status?.currentReplicas ?? 0), "none")
        if (replicas === 0 || answer.replicas > replicas) {
          replicas = answer.replicas
          best = answer.name
        }
      } catch (thrown) {
        if (signal.aborted || !(thrown instanceof MetricFailure)) throw thrown
        told("none", thrown.isSpec ? "spec" : "internal")
        recorder.event(autoscaler, "Warning", thrown.reason, thrown.said)
        failures.push(thrown)
      }
    }
    const [first] = failures
    const failure = first
      ? new Error(
          `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${first.message}`,
          { cause: first },
        )
      : undefined
    if (failure && (failures.length === specs.length || replicas < specReplicas)) {
      status.set("ScalingActive", false, {
        reason: first!.reason,
        message: `the HPA was unable to compute the replica count: ${first!.said}`,
      })
      throw new NothingComputed(failure, statuses)
    }
    status.set("ScalingActive", true, {
      reason: "ValidMetricFound",
      message: `the HPA was able to successfully calculate a replica count from ${best}`,
    })
    return { replicas, name: best, statuses, failure }
  }

  /** Throws when the target's selector is none, or another autoscaler's as well. */
  #selector(autoscaler: Readonly<HorizontalPodAutoscaler>, text: string, status: AutoscalerStatus): Selector {
    const refuse = (reason: string, message: string, event = reason, said = message): never => {
      this.#ctx.recorder.event(autoscaler, "Warning", event, message)
      status.set("ScalingActive", false, { reason, message: said })
      throw new Error(message)
    }
    if (text === "")
      return refuse(
        "InvalidSelector",
        "selector is required",
        "SelectorRequired",
        "the HPA target's scale is missing a selector",
      )
    let selector: Selector
    try {
      selector = parseSelector(text)
    } catch (thrown) {
      const why = messageOf(thrown)
      return refuse(
        "InvalidSelector",
        `couldn't convert selector into a corresponding internal selector object: ${why}`,
      )
    }
    const { namespace = "" } = autoscaler.metadata
    const own = refKey(refOf(autoscaler))
    this.#selectors.set(own, selector)
    const pods = this.#ctx.cache
      .list(pod, { namespace })
      .filter(({ metadata }) => selector.matches(metadata.labels))
    const others = [...this.#selectors].filter(
      ([key, other]) =>
        key !== own &&
        key.startsWith(`${namespace}/`) &&
        pods.some(({ metadata }) => other.matches(metadata.labels)),
    )
    if (others.length > 0) {
      const named = [own, others[0]![0]].map((key) => {
        const at = key.indexOf("/")
        return `{${key.slice(at + 1)} ${key.slice(0, at)}}`
      })
      return refuse(
        "AmbiguousSelector",
        `pods by selector ${text} are controlled by more than one HPA (e.g. [${named.join(" ")}])`,
      )
    }
    return selector
  }

  #tolerances({ spec }: Readonly<HorizontalPodAutoscaler>): Tolerances {
    const { tolerance } = this.#options
    const { scaleUp, scaleDown } = spec.behavior ?? {}
    return {
      up: scaleUp?.tolerance === undefined ? tolerance : parseQuantity(scaleUp.tolerance).asNumber(),
      down: scaleDown?.tolerance === undefined ? tolerance : parseQuantity(scaleDown.tolerance).asNumber(),
    }
  }

  async #write(autoscaler: Readonly<HorizontalPodAutoscaler>, { value }: AutoscalerStatus): Promise<void> {
    const { client, recorder, signal } = this.#ctx
    if (semanticEqual(value, autoscaler.status)) return
    try {
      const written = { ...autoscaler, status: value }
      await client.update(horizontalPodAutoscaler, written, { subresource: "status", signal })
    } catch (thrown) {
      if (signal.aborted) throw thrown
      recorder.event(autoscaler, "Warning", "FailedUpdateStatus", messageOf(thrown))
      throw new Error(`failed to update status for ${autoscaler.metadata.name}: ${messageOf(thrown)}`, {
        cause: thrown,
      })
    }
  }
}

function referenceOf({ spec, metadata }: Readonly<HorizontalPodAutoscaler>): string {
  const { kind, name } = spec.scaleTargetRef
  return `${kind}/${metadata.namespace}/${name}`
}

function actionOf(replicas: number, current: number): Action {
  if (replicas > current) return "scale_up"
  return replicas < current ? "scale_down" : "none"
}
