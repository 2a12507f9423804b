/** What autoscaling tells of itself. Mirrors: pkg/controller/podautoscaler/monitor */
import type { Counter, Histogram, Meter } from "@knarr/base"

export type Action = "scale_up" | "scale_down" | "none"
export type Failure = "spec" | "internal" | "none"

const buckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i)
const prefix = "horizontal_pod_autoscaler_controller_"
const labelled = "The label 'action' should be either 'scale_down', 'scale_up', or 'none'."
const reconciliation =
  `${labelled} Also, the label 'error' should be either 'spec', 'internal', or 'none'. Note that if both spec and internal errors ` +
  "happen during a reconciliation, the first one to occur is reported in `error` label."
const ofType = "The label 'metric_type' corresponds to HPA.spec.metrics[*].type"

export class AutoscalerMetrics {
  readonly #reconciliations: Counter
  readonly #reconciliationSeconds: Histogram
  readonly #computations: Counter
  readonly #computationSeconds: Histogram
  readonly #desired: Counter

  constructor(meter: Meter) {
    this.#reconciliations = meter.counter({
      name: `${prefix}reconciliations_total`,
      help: `Number of reconciliations of HPA controller. ${reconciliation}`,
      labels: ["action", "error"],
      stability: "BETA",
    })
    this.#reconciliationSeconds = meter.histogram({
      name: `${prefix}reconciliation_duration_seconds`,
      help: `The time(seconds) that the HPA controller takes to reconcile once. ${reconciliation}`,
      labels: ["action", "error"],
      stability: "BETA",
      buckets,
    })
    this.#computations = meter.counter({
      name: `${prefix}metric_computation_total`,
      help: `Number of metric computations. ${labelled} Also, the label 'error' should be either 'spec', 'internal', or 'none'. ${ofType}`,
      labels: ["action", "error", "metric_type"],
      stability: "BETA",
    })
    this.#computationSeconds = meter.histogram({
      name: `${prefix}metric_computation_duration_seconds`,
      help: `The time(seconds) that the HPA controller takes to calculate one metric. ${labelled} The label 'error' should be either 'spec', 'internal', or 'none'. ${ofType}`,
      labels: ["action", "error", "metric_type"],
      stability: "BETA",
      buckets,
    })
    this.#desired = meter.gauge({
      name: `${prefix}desired_replicas`,
      help: "Current desired replica count for HPA objects.",
      labels: ["namespace", "hpa_name"],
    })
  }

  reconciled(action: Action, error: Failure, seconds: number): void {
    this.#reconciliations.add(1, action, error)
    this.#reconciliationSeconds.observe(seconds, action, error)
  }

  computed(action: Action, error: Failure, type: string, seconds: number): void {
    this.#computations.add(1, action, error, type)
    this.#computationSeconds.observe(seconds, action, error, type)
  }

  forget(namespace: string, name: string): void {
    this.#desired.remove(namespace, name)
  }

  desired(namespace: string, name: string, replicas: number): void {
    this.#desired.set(replicas, namespace, name)
  }
}
