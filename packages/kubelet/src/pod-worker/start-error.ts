/** Why a container could not be started, as its waiting state shows it. Mirrors: pkg/kubelet/container/sync_result.go */
import { messageOf } from "@knarr/base"
import { RuntimeError, runtimeErrorCodes } from "../runtime/container-runtime.ts"

/** `reason` is that of the container's waiting state: `CrashLoopBackOff`, `ErrImagePull`, `CreateContainerError`, … */
export class StartError extends Error {
  readonly reason: string
  /** When to try again; undefined: as after any failure. */
  readonly retryAfterMs: number | undefined

  constructor(reason: string, message: string, retryAfterMs?: number, options?: ErrorOptions) {
    super(message, options)
    this.name = "StartError"
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

const codeNames = new Map(
  Object.entries(runtimeErrorCodes).map(([name, code]) => [
    code as number,
    name[0]!.toUpperCase() + name.slice(1),
  ]),
)

/** The error of a call as gRPC's Go client prints it. */
export function callErrorText(thrown: unknown): string {
  if (!(thrown instanceof RuntimeError)) return messageOf(thrown)
  return `rpc error: code = ${codeNames.get(thrown.code) ?? `Code(${thrown.code})`} desc = ${thrown.message}`
}
