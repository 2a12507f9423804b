/**
 * Runs one probe of one container again and again and counts its results.
 * Mirrors: pkg/kubelet/prober/worker.go
 */
import { Backoff, type Env } from "@knarr/base"
import { messageOf } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import { partOf } from "@knarr/client"
import type { ProbeType } from "../contract.ts"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import type { ProbeNetwork } from "./probe-network.ts"
import type { ProbeAnswer } from "./probe-answer.ts"
import { runProbe, type ProbeTarget } from "./run-probe.ts"

export interface ProbeWorkerOptions extends ProbeTarget {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly network: ProbeNetwork
  readonly recorder: EventRecorder | undefined
  readonly type: ProbeType
  /** When the container started, wall time. */
  readonly startedMs: number
  /** Wait this long before anything else. */
  readonly jitterMs: number
  /** The result that is known already. */
  readonly initial: boolean | undefined
  /** A new result, told only when it differs from the last one. */
  readonly onResult: (success: boolean, message: string) => void
  /** Every probe that was made, or could not be. */
  readonly onProbed: (result: ProbeResultName) => void
}

export type ProbeResultName = "successful" | "failed" | "unknown"

const maxErrorRetries = 3
const firstQuietRetryMs = 50
const maxQuietRetryMs = 1000
/** As events and metrics name them. */
export const probeNames: Readonly<Record<ProbeType, string>> = {
  liveness: "Liveness",
  readiness: "Readiness",
  startup: "Startup",
}

/** Runs until the signal is aborted, or a liveness or startup probe has given the container up, or startup is over. */
export async function runProbeWorker(options: ProbeWorkerOptions, signal: AbortSignal): Promise<void> {
  const { env, probe, type } = options
  const { clock } = env
  const periodMs = (probe.periodSeconds || 10) * 1000
  const thresholds = { success: probe.successThreshold || 1, failure: probe.failureThreshold || 3 }
  if (options.jitterMs > 0) await clock.sleep(options.jitterMs, signal)
  const delayMs = options.startedMs + (probe.initialDelaySeconds ?? 0) * 1000 - clock.now()
  if (delayMs > 0) await clock.sleep(delayMs, signal)
  let told = options.initial
  let last: boolean | undefined
  let run = 0
  let dueMs = clock.monotonic()
  for (let round = 0; ; round++) {
    let answer = await probeOnce(options, signal)
    dueMs = Math.max(dueMs + periodMs, clock.monotonic())
    // A port that nobody listens on yet: the container cannot tell how often it was tried, so try more often.
    if (round === 0 && answer?.refused && type !== "liveness" && told !== true)
      answer = await retryQuietly(options, dueMs, answer, signal)
    if (answer) {
      const success = answer.result !== "failure"
      if (success === last) run++
      else [last, run] = [success, 1]
      if (run >= (success ? thresholds.success : thresholds.failure) && success !== told) {
        told = success
        options.onResult(success, answer.output)
      }
      if (type === "startup" && told === true) return
      if (type !== "readiness" && !success && run >= thresholds.failure) return
    }
    const waitMs = dueMs - clock.monotonic()
    await clock.sleep(Math.max(waitMs, 0), signal)
  }
}

/** Probes a port that refused until it answers otherwise or the next round is due. */
async function retryQuietly(
  options: ProbeWorkerOptions,
  untilMs: number,
  refused: ProbeAnswer,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { clock } = options.env
  const pause = new Backoff({ firstMs: firstQuietRetryMs, maxMs: maxQuietRetryMs })
  for (;;) {
    const waitMs = pause.next()
    if (clock.monotonic() + waitMs >= untilMs) return refused
    await clock.sleep(waitMs, signal)
    try {
      const answer = await runProbe(options, options, signal)
      if (answer.refused) continue
      if (answer.result !== "success") report(options, answer)
      return answer
    } catch {
      signal.throwIfAborted()
      return refused
    }
  }
}

/** Undefined: the probe could not be made, which counts for nothing. */
async function probeOnce(options: ProbeWorkerOptions, signal: AbortSignal): Promise<ProbeAnswer | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      const answer = await runProbe(options, options, signal)
      options.onProbed(answer.result === "failure" ? "failed" : "successful")
      if (answer.result !== "success") report(options, answer)
      return answer
    } catch (thrown) {
      signal.throwIfAborted()
      if (tries < maxErrorRetries) continue
      options.onProbed("unknown")
      const name = probeNames[options.type]
      event(options, "Unhealthy", `${name} probe errored and resulted in unknown state: ${messageOf(thrown)}`)
      return undefined
    }
  }
}

function report(options: ProbeWorkerOptions, { result, output }: ProbeAnswer): void {
  const name = probeNames[options.type]
  if (result === "warning") event(options, "ProbeWarning", `${name} probe warning: ${output}`)
  else event(options, "Unhealthy", `${name} probe failed: ${output}`)
}

function event({ recorder, pod, container }: ProbeWorkerOptions, reason: string, message: string): void {
  const init = pod.spec.initContainers?.some((candidate) => candidate.name === container.name)
  const fieldPath = `spec.${init ? "initContainers" : "containers"}{${container.name}}`
  recorder?.event(partOf({ ...pod, apiVersion: "v1", kind: "Pod" }, fieldPath), "Warning", reason, message)
}
