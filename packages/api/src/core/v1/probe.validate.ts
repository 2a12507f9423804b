/** Validation of probes and lifecycle handlers. Mirrors: pkg/apis/core/validation/validation.go */
import { field, isHTTPHeaderName, isValidPortName, isValidPortNum } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative, oneOf, reasons } from "../../checks.ts"
import type {
  HTTPGetAction,
  Lifecycle,
  Probe,
  ExecAction,
  GRPCAction,
  SleepAction,
  TCPSocketAction,
} from "./types.gen.ts"

interface Handler {
  readonly exec?: ExecAction | undefined
  readonly httpGet?: HTTPGetAction | undefined
  readonly tcpSocket?: TCPSocketAction | undefined
  readonly grpc?: GRPCAction | undefined
  readonly sleep?: SleepAction | undefined
}

/** A port by number, or by the name of one of the container's ports. */
export function validatePort(path: string, port: number | string | undefined): FieldError[] {
  if (typeof port === "string") return reasons(path, port, isValidPortName(port))
  return reasons(path, port ?? 0, isValidPortNum(port ?? 0))
}

function validateHTTPGet(path: string, action: HTTPGetAction): FieldError[] {
  const out: FieldError[] = []
  if (!action.path) out.push(field.required(`${path}.path`, ""))
  out.push(...validatePort(`${path}.port`, action.port))
  if (action.scheme !== "HTTP" && action.scheme !== "HTTPS")
    out.push(field.notSupported(`${path}.scheme`, action.scheme ?? "", ["HTTP", "HTTPS"]))
  for (const { name } of action.httpHeaders ?? [])
    out.push(...reasons(`${path}.httpHeaders`, name, isHTTPHeaderName(name)))
  return out
}

function validateHandler(path: string, handler: Handler, graceSeconds: number): FieldError[] {
  const out: FieldError[] = []
  let count = 0
  const take = (name: string, check: () => FieldError[]): void => {
    if (count > 0) out.push(field.forbidden(`${path}.${name}`, "may not specify more than 1 handler type"))
    else out.push(...check())
    count++
  }
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler
  if (exec) take("exec", () => (exec.command?.length ? [] : [field.required(`${path}.exec.command`, "")]))
  if (httpGet) take("httpGet", () => validateHTTPGet(`${path}.httpGet`, httpGet))
  if (tcpSocket) take("tcpSocket", () => validatePort(`${path}.tcpSocket.port`, tcpSocket.port))
  if (grpc) take("grpc", () => validatePort(`${path}.grpc.port`, grpc.port))
  if (sleep) {
    take("sleep", () => {
      if (sleep.seconds >= 0 && sleep.seconds <= graceSeconds) return []
      const detail = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`
      return [field.invalid(`${path}.sleep`, sleep.seconds, detail)]
    })
  }
  if (count === 0) out.push(field.required(path, "must specify a handler type"))
  return out
}

function validateProbe(path: string, probe: Probe | undefined, graceSeconds: number): FieldError[] {
  if (!probe) return []
  const out = validateHandler(path, probe, graceSeconds)
  out.push(
    ...notNegative(`${path}.initialDelaySeconds`, probe.initialDelaySeconds),
    ...notNegative(`${path}.timeoutSeconds`, probe.timeoutSeconds),
    ...notNegative(`${path}.periodSeconds`, probe.periodSeconds),
    ...notNegative(`${path}.successThreshold`, probe.successThreshold),
    ...notNegative(`${path}.failureThreshold`, probe.failureThreshold),
  )
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0)
    out.push(field.invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than 0"))
  return out
}

interface Probed {
  readonly livenessProbe?: Probe | undefined
  readonly readinessProbe?: Probe | undefined
  readonly startupProbe?: Probe | undefined
}

/** All three probes of a container. */
export function validateProbes(path: string, container: Probed, graceSeconds: number): FieldError[] {
  const { livenessProbe, readinessProbe, startupProbe } = container
  const out = validateProbe(`${path}.livenessProbe`, livenessProbe, graceSeconds)
  if (livenessProbe && livenessProbe.successThreshold !== 1)
    out.push(
      field.invalid(`${path}.livenessProbe.successThreshold`, livenessProbe.successThreshold, "must be 1"),
    )
  out.push(...validateProbe(`${path}.readinessProbe`, readinessProbe, graceSeconds))
  if (readinessProbe?.terminationGracePeriodSeconds !== undefined) {
    const at = `${path}.readinessProbe.terminationGracePeriodSeconds`
    out.push(
      field.invalid(at, readinessProbe.terminationGracePeriodSeconds, "must not be set for readinessProbes"),
    )
  }
  out.push(...validateProbe(`${path}.startupProbe`, startupProbe, graceSeconds))
  if (startupProbe && startupProbe.successThreshold !== 1)
    out.push(
      field.invalid(`${path}.startupProbe.successThreshold`, startupProbe.successThreshold, "must be 1"),
    )
  return out
}

const linuxSignals = new Set(
  `SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL
  SIGPROF SIGPWR SIGQUIT SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1
  SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ`.split(/\s+/),
)

/** What a container runs at its start and before its end. */
export function validateLifecycle(
  path: string,
  lifecycle: Lifecycle | undefined,
  graceSeconds: number,
  os: string | undefined,
): FieldError[] {
  if (!lifecycle) return []
  const out: FieldError[] = []
  if (lifecycle.postStart)
    out.push(...validateHandler(`${path}.postStart`, lifecycle.postStart, graceSeconds))
  if (lifecycle.preStop) out.push(...validateHandler(`${path}.preStop`, lifecycle.preStop, graceSeconds))
  if (lifecycle.stopSignal !== undefined) {
    const at = `${path}.stopSignal`
    if (!os) out.push(field.forbidden(at, "may not be set for containers with empty `spec.os.name`"))
    else if (os === "windows") out.push(...oneOf(at, lifecycle.stopSignal, ["SIGKILL", "SIGTERM"]))
    else if (
      !linuxSignals.has(lifecycle.stopSignal) &&
      !/^SIGRTM(IN|AX)([+-]\d+)?$/.test(lifecycle.stopSignal)
    )
      out.push(field.notSupported(at, lifecycle.stopSignal, [...linuxSignals]))
  }
  return out
}
