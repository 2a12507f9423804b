/**
 * What the containers of a simulated node do, as their pods' annotations say: ours, `simulation.knarr.dev/…`, and
 * kwok's where they mean the same. Pure.
 */
import type { Pod } from "@knarr/api"
import { parseGoDuration, parseQuantity } from "@knarr/apimachinery"
import { isSidecar } from "@knarr/pod-rules"
import type { SimulatedBehaviour } from "../runtime/simulated-host.ts"

const simulationPrefix = "simulation.knarr.dev/"

/** How long the pods of a Job take when nothing is said: as in kwok's stages. */
const jobRunMs = 1000
const kwokUsage = "kwok.x-k8s.io/usage-"
const kwokStage = ".stage.kwok.x-k8s.io"

/** What is wrong with an annotation's value; the annotation then counts as if it were not there. */
export interface BehaviourProblem {
  readonly annotation: string
  readonly problem: string
}

/** `problems` gets what cannot be understood. */
export function behaviourOf(
  pod: Readonly<Pod>,
  container: string,
  problems: BehaviourProblem[] = [],
): SimulatedBehaviour {
  const annotations = pod.metadata.annotations ?? {}
  /** The first of the annotations that is there and can be read. */
  const read = <T>(names: readonly string[], parse: (text: string) => T): T | undefined => {
    for (const annotation of names) {
      const text = annotations[annotation]
      if (text === undefined) continue
      try {
        return parse(text)
      } catch (thrown) {
        problems.push({ annotation, problem: thrown instanceof Error ? thrown.message : String(thrown) })
      }
    }
    return undefined
  }
  const own = (name: string): string[] => [
    `${simulationPrefix}${name}.${container}`,
    `${simulationPrefix}${name}`,
  ]
  const stage = (name: string): string => `${name}${kwokStage}`
  const isInit = pod.spec.initContainers?.some((one) => one.name === container && !isSidecar(one)) ?? false
  const isMain = pod.spec.containers.some(({ name }) => name === container)
  const isOfJob = pod.metadata.ownerReferences?.some(({ kind, controller }) => controller && kind === "Job")

  const failed = isMain ? kwokFailure(pod, container, read) : undefined
  const startDelayMs = read(
    isInit ? own("start-delay").slice(0, 1) : [...own("start-delay"), `${stage("pod-ready")}/delay`],
    duration,
  )
  const runMs = isInit
    ? (read(own("run-time").slice(0, 1), duration) ?? 0)
    : (read([...own("run-time"), `${stage("pod-complete")}/delay`], duration) ??
      failed?.exitAfterMs ??
      (isOfJob && isMain ? jobRunMs : undefined))
  const codes = isInit ? own("exit-code").slice(0, 1) : own("exit-code")
  const exitCode = read(codes, exitCodeOf) ?? failed?.exitCode
  const reason = read(isInit ? own("exit-reason").slice(0, 1) : own("exit-reason"), text) ?? failed?.reason
  const stopAfterMs = read(own("stop-delay"), duration)
  const cpu = read([...own("cpu"), `${kwokUsage}cpu`], amount)
  const memory = read([...own("memory"), `${kwokUsage}memory`], amount)
  return {
    ...(startDelayMs === undefined ? {} : { startDelayMs }),
    ...(runMs === undefined ? {} : { exitAfterMs: runMs }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(reason === undefined ? {} : { reason }),
    ...(stopAfterMs === undefined ? {} : { stopAfterMs }),
    ...(cpu === undefined ? {} : { cpuNanoCores: cpu * 1e9 }),
    ...(memory === undefined ? {} : { memoryBytes: memory }),
  }
}

/** kwok's chaos stage of a running container that fails: a label turns it on. */
function kwokFailure(
  { metadata }: Readonly<Pod>,
  container: string,
  read: <T>(names: readonly string[], parse: (text: string) => T) => T | undefined,
): { exitAfterMs: number; exitCode: number; reason: string } | undefined {
  const stage = `pod-container-running-failed${kwokStage}`
  if (metadata.labels?.[stage] !== "true") return undefined
  const name = metadata.annotations?.[`${stage}/container-name`]
  if (name !== undefined && name !== container) return undefined
  return {
    exitAfterMs: read([`${stage}/delay`], duration) ?? 0,
    exitCode: read([`${stage}/exit-code`], exitCodeOf) ?? 1,
    reason: read([`${stage}/reason`], text) ?? "Error",
  }
}

function text(value: string): string {
  if (value === "") throw new Error("must not be empty")
  return value
}

function duration(value: string): number {
  const ms = parseGoDuration(value)
  if (ms < 0) throw new Error(`must not be negative: ${JSON.stringify(value)}`)
  return ms
}

function exitCodeOf(value: string): number {
  const code = Number(value)
  if (!/^\d+$/.test(value) || code > 255) throw new Error(`must be 0 to 255: ${JSON.stringify(value)}`)
  return code
}

function amount(value: string): number {
  const number = parseQuantity(value).asNumber()
  if (number < 0) throw new Error(`must not be negative: ${JSON.stringify(value)}`)
  return number
}
