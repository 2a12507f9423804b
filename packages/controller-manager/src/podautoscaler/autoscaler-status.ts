/** An autoscaler's status while it is worked out. Mirrors: pkg/controller/podautoscaler/horizontal.go (setCondition, setStatus) */
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricStatus } from "@knarr/api"
import { formatTime, isConditionTrue, setCondition, type Condition } from "@knarr/apimachinery"
import type { Said } from "./limits.ts"

type ConditionType = "AbleToScale" | "ScalingActive" | "ScalingLimited" | "ScaledToZero"

/** A copy that can be changed; {@link value} is what is written. */
export class AutoscalerStatus {
  readonly #autoscaler: Readonly<HorizontalPodAutoscaler>
  readonly #nowMs: number
  readonly #conditions: Condition[]
  #rest: Partial<HorizontalPodAutoscalerStatus> | undefined

  constructor(autoscaler: Readonly<HorizontalPodAutoscaler>, nowMs: number) {
    this.#autoscaler = autoscaler
    this.#nowMs = nowMs
    this.#conditions = (autoscaler.status?.conditions ?? []).map((one) => ({ ...one }) as Condition)
  }

  get isScaledToZero(): boolean {
    return isConditionTrue(this.#conditions, "ScaledToZero")
  }

  set(type: ConditionType, isTrue: boolean, { reason, message }: Said): void {
    const condition = { type, status: isTrue ? "True" : "False", reason, message }
    setCondition(this.#conditions, condition, formatTime(this.#nowMs))
  }

  /** What was found; `desired` undefined: as before. */
  found(
    currentReplicas: number,
    desired: number | undefined,
    currentMetrics: readonly MetricStatus[],
    isRescaled: boolean,
  ): void {
    const { status, metadata } = this.#autoscaler
    this.#rest = {
      currentReplicas,
      desiredReplicas: desired ?? status?.desiredReplicas ?? 0,
      lastScaleTime: isRescaled ? formatTime(this.#nowMs) : status?.lastScaleTime,
      currentMetrics: currentMetrics.length > 0 ? [...currentMetrics] : undefined,
      ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    }
  }

  get value(): HorizontalPodAutoscalerStatus {
    const conditions = this.#conditions.length > 0 ? this.#conditions : undefined
    const rest = this.#rest ?? this.#autoscaler.status
    return { ...rest, conditions } as HorizontalPodAutoscalerStatus
  }
}
