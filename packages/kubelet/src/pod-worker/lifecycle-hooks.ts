/**
 * Runs a container's postStart and preStop hooks.
 * Mirrors: pkg/kubelet/lifecycle/handlers.go
 */
import type { Container, HTTPGetAction, LifecycleHandler, Pod } from "@knarr/api"
import { goQuote } from "@knarr/apimachinery"
import type { KubeletHost } from "./host.ts"
import type { PodWorkerParts } from "./settings.ts"
import { callErrorText } from "./start-error.ts"

export interface HookTarget {
  readonly pod: Readonly<Pod>
  readonly container: Readonly<Container>
  readonly containerId: string
  readonly podIP: string
}

/** Rejects with the message for the container's state when the hook fails. */
export async function runHook(
  hook: Readonly<LifecycleHandler>,
  target: HookTarget,
  parts: Pick<PodWorkerParts, "env" | "runtime" | "host">,
  signal: AbortSignal,
): Promise<void> {
  const { exec, httpGet, sleep } = hook
  if (exec) return runExec(exec.command ?? [], target, parts, signal)
  if (httpGet) return runHttp(httpGet, target, parts.host, signal)
  if (sleep) return parts.env.clock.sleep(sleep.seconds * 1000, signal)
  throw new Error(`cannot run handler: invalid handler: ${JSON.stringify(hook)}`)
}

/** Of what a hook printed, as far as it is told of. */
const maxOutputBytes = 10 * 1024

async function runExec(
  command: readonly string[],
  { pod, container, containerId }: HookTarget,
  { runtime }: Pick<PodWorkerParts, "runtime">,
  signal: AbortSignal,
): Promise<void> {
  const fail = (error: string, output: string): never => {
    const { name, namespace, uid } = pod.metadata
    throw new Error(
      `Exec lifecycle hook ([${command.join(" ")}]) for Container ${goQuote(container.name)} in Pod ${goQuote(`${name}_${namespace}(${uid})`)} failed - error: ${error}, message: ${goQuote(output)}`,
    )
  }
  let exitCode = 0
  let output = ""
  try {
    const answer = await runtime.execSync({ containerId, cmd: [...command], timeout: 0 }, { signal })
    exitCode = answer.exitCode
    output = Buffer.concat([answer.stdout, answer.stderr]).toString("utf8", 0, maxOutputBytes)
  } catch (thrown) {
    signal.throwIfAborted()
    fail(callErrorText(thrown), "")
  }
  if (exitCode !== 0) fail(`command '${command.join(" ")}' exited with ${exitCode}: ${output}`, output)
}

async function runHttp(
  action: Readonly<HTTPGetAction>,
  { container, podIP }: HookTarget,
  host: KubeletHost,
  signal: AbortSignal,
): Promise<void> {
  const scheme = (action.scheme || "HTTP").toLowerCase()
  const name = action.host || podIP
  if (name === "") throw new Error("failed to find networking container: nil pod IP")
  const port = portOf(action.port, container)
  const path = action.path?.startsWith("/") ? action.path : `/${action.path ?? ""}`
  const authority = name.includes(":") ? `[${name}]` : name
  const headers: [string, string][] = [
    ["User-Agent", "kube-lifecycle/1.37"],
    ["Accept", "*/*"],
    ...(action.httpHeaders ?? []).map(({ name, value }): [string, string] => [name, value]),
  ]
  await host.request({ url: `${scheme}://${authority}:${port}${path}`, headers }, signal)
}

function portOf(port: number | string, container: Readonly<Container>): number {
  if (typeof port === "number") return port
  const named = container.ports?.find(({ name }) => name === port)
  if (named) return named.containerPort
  const number = Number(port)
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number
  throw new Error(
    `couldn't find port: ${JSON.stringify(port)} in container ${JSON.stringify(container.name)}`,
  )
}
