/** Counts what a runtime is asked for. Mirrors: pkg/kubelet/kuberuntime/instrumented_services.go */
import type { Env } from "@knarr/base"
import { runtimeCalls, type ContainerRuntime } from "./container-runtime.ts"

/** 5 ms to 12 minutes, in steps of 2.5. */
const buckets = Array.from({ length: 14 }, (_, i) => 0.005 * 2.5 ** i)

/** `runtime`, with each call counted under `kubelet_runtime_operations_*`. */
export function meterRuntime(runtime: ContainerRuntime, env: Pick<Env, "clock" | "meter">): ContainerRuntime {
  const { clock, meter } = env
  const labels = ["operation_type"]
  const total = meter.counter({
    name: "kubelet_runtime_operations_total",
    help: "Cumulative number of runtime operations by operation type.",
    labels,
  })
  const errors = meter.counter({
    name: "kubelet_runtime_operations_errors_total",
    help: "Cumulative number of runtime operation errors by operation type.",
    labels,
  })
  const duration = meter.histogram({
    name: "kubelet_runtime_operations_duration_seconds",
    help: "Duration in seconds of runtime operations. Broken down by operation type.",
    labels,
    buckets,
  })
  const metered: Record<string, unknown> = {}
  for (const name of runtimeCalls) {
    const operation = operationType(name)
    const call = runtime[name] as (request: unknown, options: { signal: AbortSignal }) => Promise<unknown>
    metered[name] = async (request: unknown, options: { signal: AbortSignal }) => {
      const startedAt = clock.monotonic()
      try {
        return await call.call(runtime, request, options)
      } catch (thrown) {
        errors.add(1, operation)
        throw thrown
      } finally {
        total.add(1, operation)
        duration.observe((clock.monotonic() - startedAt) / 1000, operation)
      }
    }
  }
  return { ...runtime, ...(metered as Partial<ContainerRuntime>) }
}

/** `run_podsandbox` for `runPodSandbox`. */
function operationType(call: string): string {
  return call.replace("PodSandbox", "Podsandbox").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
