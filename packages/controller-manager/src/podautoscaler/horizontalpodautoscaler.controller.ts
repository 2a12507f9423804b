/** Horizontal autoscaling. Mirrors: pkg/controller/podautoscaler */
import { horizontalPodAutoscaler, pod, type HorizontalPodAutoscaler } from "@knarr/api"
import { refKey } from "@knarr/apimachinery"
import {
  allow,
  defineController,
  perRun,
  recordEvents,
  untilAborted,
  type Controller,
} from "@knarr/controller-kit"
import { Autoscaling, type AutoscalingOptions } from "./autoscaling.ts"

export interface AutoscalerOptions extends Partial<AutoscalingOptions> {
  /** How often each autoscaler is looked at, in milliseconds. Default 15,000. */
  readonly syncPeriodMs?: number | undefined
}

/** Metrics tell of as many as there are. */
const count = {
  name: "horizontal_pod_autoscaler_controller_num_horizontal_pod_autoscalers",
  help: "Current number of controlled HPA objects.",
}

export function createAutoscalerController(options: AutoscalerOptions = {}): Controller {
  const { syncPeriodMs = 15_000, ...given } = options
  const autoscalingOf = perRun(
    (ctx) =>
      new Autoscaling(ctx, {
        tolerance: 0.1,
        downscaleStabilizationMs: 300_000,
        cpuInitializationMs: 300_000,
        initialReadinessMs: 30_000,
        ...given,
      }),
  )
  return defineController<HorizontalPodAutoscaler>({
    name: "horizontal-pod-autoscaler-controller",
    aliases: ["horizontalpodautoscaling"],
    queueName: "horizontalpodautoscaler",
    serviceAccount: "horizontal-pod-autoscaler",
    rbac: [
      allow("autoscaling", "horizontalpodautoscalers", "get list watch"),
      allow("autoscaling", "horizontalpodautoscalers/status", "update"),
      allow("*", "*/scale", "get update"),
      allow("", "pods", "list watch"),
      allow("metrics.k8s.io", "pods", "list"),
      allow("custom.metrics.k8s.io", "*", "get list"),
      allow("external.metrics.k8s.io", "*", "get list"),
      recordEvents,
    ],
    for: horizontalPodAutoscaler,
    // What it writes itself must not wake it: it looks again when its time comes.
    wakes: (obj, old) => obj.metadata.generation !== old.metadata.generation,
    reads: [pod],
    async reconcile(ref, ctx) {
      const autoscaling = autoscalingOf(ctx)
      const autoscaler = ctx.cache.get(horizontalPodAutoscaler, ref)
      if (!autoscaler) {
        autoscaling.forget(refKey(ref))
        return undefined
      }
      try {
        await autoscaling.look(autoscaler)
      } catch (thrown) {
        if (ctx.signal.aborted) throw thrown
        // No sooner than any other: what keeps it from scaling is seldom over in milliseconds.
        ctx.log.error("Autoscaling failed and is tried again", thrown, { key: refKey(ref) })
      }
      return { afterMs: syncPeriodMs }
    },
    async run({ meter, cache, signal }) {
      using _ = meter.collect("gauge", count, () => [[[], cache.list(horizontalPodAutoscaler).length]])
      await untilAborted(signal)
    },
  })
}
