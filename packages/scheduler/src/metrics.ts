/** What the scheduler counts, under upstream's names. Mirrors: pkg/scheduler/metrics/metrics.go */
import { together, type Counter, type Env, type Histogram } from "@knarr/base"
import type { Code } from "./framework/status.ts"

/** How an attempt ended. */
export type AttemptResult = "scheduled" | "unschedulable" | "error"

export type QueueName = "active" | "backoff" | "unschedulable" | "gated"

const doubling = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first * 2 ** i)

export class SchedulerMetrics {
  readonly #clock: Env["clock"]
  readonly #attempts: Counter
  readonly #attemptSeconds: Histogram
  readonly #algorithmSeconds: Histogram
  readonly #sliSeconds: Histogram
  readonly #attemptsOfPod: Histogram
  readonly #pointSeconds: Histogram
  readonly #permitSeconds: Histogram
  readonly #incoming: Counter
  readonly #preemptions: Counter
  readonly #victims: Histogram
  readonly #volumeFailures: Counter

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">) {
    this.#clock = clock
    this.#attempts = meter.counter({
      name: "scheduler_schedule_attempts_total",
      help: "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
      labels: ["result", "profile"],
      stability: "STABLE",
    })
    this.#attemptSeconds = meter.histogram({
      name: "scheduler_scheduling_attempt_duration_seconds",
      help: "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
      labels: ["result", "profile"],
      buckets: doubling(0.001, 15),
      stability: "STABLE",
    })
    this.#algorithmSeconds = meter.histogram({
      name: "scheduler_scheduling_algorithm_duration_seconds",
      help: "Scheduling algorithm latency in seconds",
      buckets: doubling(0.001, 15),
      stability: "BETA",
    })
    this.#sliSeconds = meter.histogram({
      name: "scheduler_pod_scheduling_sli_duration_seconds",
      help: "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.",
      labels: ["attempts"],
      buckets: doubling(0.01, 20),
      stability: "BETA",
    })
    this.#attemptsOfPod = meter.histogram({
      name: "scheduler_pod_scheduling_attempts",
      help: "Number of attempts to successfully schedule a pod.",
      buckets: doubling(1, 5),
      stability: "STABLE",
    })
    this.#pointSeconds = meter.histogram({
      name: "scheduler_framework_extension_point_duration_seconds",
      help: "Latency for running all plugins of a specific extension point.",
      labels: ["extension_point", "status", "profile"],
      buckets: doubling(0.0001, 12),
      stability: "STABLE",
    })
    this.#permitSeconds = meter.histogram({
      name: "scheduler_permit_wait_duration_seconds",
      help: "Duration of waiting on permit.",
      labels: ["result"],
      buckets: doubling(0.001, 15),
      stability: "BETA",
    })
    this.#incoming = meter.counter({
      name: "scheduler_queue_incoming_pods_total",
      help: "Number of pods added to scheduling queues by event and queue type.",
      labels: ["queue", "event"],
      stability: "STABLE",
    })
    this.#preemptions = meter.counter({
      name: "scheduler_preemption_attempts_total",
      help: "Total preemption attempts in the cluster till now",
      stability: "STABLE",
    })
    this.#victims = meter.histogram({
      name: "scheduler_preemption_victims",
      help: "Number of selected preemption victims",
      buckets: doubling(1, 7),
      stability: "STABLE",
    })
    this.#volumeFailures = meter.counter({
      name: "scheduler_volume_scheduling_stage_error_total",
      help: "Volume scheduling stage error count",
      labels: ["operation"],
      stability: "ALPHA",
    })
  }

  /** Looking for a pod's volumes (`predicate`), or binding them (`bind`), failed. */
  volumeStageFailed(stage: "predicate" | "bind"): void {
    this.#volumeFailures.add(1, stage)
  }

  /** A plugin was asked to make room. */
  preemptionTried(): void {
    this.#preemptions.add(1)
  }

  /** It drives so many pods away. */
  preempted(victims: number): void {
    this.#victims.observe(victims)
  }

  /** Milliseconds since an arbitrary start. */
  now(): number {
    return this.#clock.monotonic()
  }

  attempted(result: AttemptResult, profile: string, beganMs: number): void {
    this.#attempts.add(1, result, profile)
    this.#attemptSeconds.observe(this.#since(beganMs), result, profile)
  }

  decided(beganMs: number): void {
    this.#algorithmSeconds.observe(this.#since(beganMs))
  }

  /** `waitedMs`: since the pod first came into the queue. */
  scheduled(attempts: number, waitedMs: number): void {
    this.#attemptsOfPod.observe(attempts)
    this.#sliSeconds.observe(waitedMs / 1000, attempts >= 15 ? "15+" : String(attempts))
  }

  /** Runs the plugins of an extension point, named as upstream does: `PreFilter`. What throws counts as an `Error`. */
  async timePoint<T>(
    point: string,
    profile: string,
    fn: () => Promise<T>,
    codeOf: (answer: T) => Code,
  ): Promise<T> {
    const beganMs = this.now()
    let code: Code = "Error"
    try {
      const answer = await fn()
      code = codeOf(answer)
      return answer
    } finally {
      this.#pointSeconds.observe(this.#since(beganMs), point, code, profile)
    }
  }

  /** The same of what does not wait. */
  timePointSync<T>(point: string, profile: string, fn: () => T, codeOf: (answer: T) => Code): T {
    const beganMs = this.now()
    let code: Code = "Error"
    try {
      const answer = fn()
      code = codeOf(answer)
      return answer
    } finally {
      this.#pointSeconds.observe(this.#since(beganMs), point, code, profile)
    }
  }

  permitted(result: string, beganMs: number): void {
    this.#permitSeconds.observe(this.#since(beganMs), result)
  }

  /** `event` as `AssignedPodDelete`, or what else brought the pod there. */
  queued(queue: QueueName, event: string): void {
    this.#incoming.add(1, queue, event)
  }

  #since(beganMs: number): number {
    return (this.#clock.monotonic() - beganMs) / 1000
  }
}

/** How many pods wait, and who refused how many of them; read when somebody asks. */
export function collectQueue(
  meter: Env["meter"],
  pending: () => Readonly<Record<QueueName, number>>,
  refusals: () => Iterable<readonly [plugin: string, profile: string, pods: number]>,
): Disposable {
  return together(
    meter.collect(
      "gauge",
      {
        name: "scheduler_pending_pods",
        help: "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in unschedulableEntities that the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated; 'incomplete' means number of pods in incompletePodGroupPods; 'pending' means number of pods in pendingPodGroupPods.",
        labels: ["queue"],
        stability: "STABLE",
      },
      () => Object.entries(pending()).map(([queue, pods]) => [[queue], pods] as const),
    ),
    meter.collect(
      "gauge",
      {
        name: "scheduler_unschedulable_pods",
        help: "The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for all plugins that caused it to not schedule and so this metric have meaning only when broken down by plugin.",
        labels: ["plugin", "profile"],
        stability: "BETA",
      },
      () => [...refusals()].map(([plugin, profile, pods]) => [[plugin, profile], pods] as const),
    ),
  )
}
