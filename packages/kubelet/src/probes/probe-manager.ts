/**
 * Keeps a worker for every probe of every running container. Startup comes first: the others begin when it has
 * succeeded.
 * Mirrors: pkg/kubelet/prober/prober_manager.go
 */
import type { Container, Pod, Probe } from "@knarr/api"
import { parseTime } from "@knarr/apimachinery"
import { Meter, type Env, type Scope } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import type { ProbeManager, ProbeOutcome, ProbeType } from "../contract.ts"
import type { ContainerRuntime } from "../runtime/container-runtime.ts"
import type { ProbeNetwork } from "./probe-network.ts"
import { probeNames, runProbeWorker, type ProbeResultName } from "./probe-worker.ts"

/** An outcome, and how long the container may take to end when the probe says so itself. */
export interface ReportedOutcome extends ProbeOutcome {
  readonly terminationGracePeriodSeconds: number | undefined
}

export interface ProbeManagerOptions {
  readonly env: Env
  readonly scope: Scope
  readonly runtime: ContainerRuntime
  /** `createHostProbeNetwork(clock)`, or `simulatedProbeNetwork`. */
  readonly network: ProbeNetwork
  readonly onOutcome: (outcome: ReportedOutcome) => void
  readonly recorder?: EventRecorder
}

interface Probed {
  readonly pod: Readonly<Pod>
  readonly container: Readonly<Container>
  readonly containerId: string
  readonly podIP: string
  readonly startedMs: number
  /** It ran before this kubelet did. */
  readonly adopted: boolean
  readonly scope: Scope
  readonly running: Map<ProbeType, Scope>
  readonly results: Map<ProbeType, boolean>
  /** How many probes ended how. */
  readonly counts: Map<string, { readonly type: string; readonly result: string; count: number }>
}

/** The probe manager, and its part of the kubelet's metrics. */
export interface NodeProbeManager extends ProbeManager {
  /** The pod is being ended: only its readiness is still of interest. */
  stopLivenessAndStartup(podUid: string): void
  /** In the Prometheus text format, for `/metrics/probes`. */
  metrics(): string
}

export function createProbeManager(options: ProbeManagerOptions): NodeProbeManager {
  return new Manager(options)
}

class Manager implements NodeProbeManager {
  readonly #options: ProbeManagerOptions
  readonly #scope: Scope
  readonly #beganMs: number
  readonly #pods = new Map<string, Map<string, Probed>>()
  /** Its own: probes are told at a path of their own. */
  readonly #meter = new Meter()

  constructor(options: ProbeManagerOptions) {
    this.#options = options
    this.#scope = options.scope.child("probes")
    this.#beganMs = options.env.clock.now()
    this.#meter.collect(
      "counter",
      {
        name: "prober_probe_total",
        help: "Cumulative number of a liveness, readiness or startup probe for a container by result.",
        labels: ["container", "namespace", "pod", "pod_uid", "probe_type", "result"],
        stability: "BETA",
      },
      () => this.#counts(),
    )
  }

  containerStarted(pod: Readonly<Pod>, name: string, containerId: string, podIP: string): void {
    const { uid } = pod.metadata
    const known = this.#pods.get(uid)?.get(name)
    if (known?.containerId === containerId) return
    if (known) this.stop(uid, name)
    const container = findContainer(pod, name)
    if (!container || !(container.livenessProbe || container.readinessProbe || container.startupProbe)) return
    const status = runningStatus(pod, name, containerId)
    const startedMs = status?.startedMs ?? this.#options.env.clock.now()
    const probed: Probed = {
      pod,
      container,
      containerId,
      podIP,
      startedMs,
      adopted: startedMs < this.#beganMs,
      scope: this.#scope.child(`${uid}/${name}`),
      running: new Map(),
      results: new Map(),
      counts: new Map(),
    }
    let containers = this.#pods.get(uid)
    if (!containers) this.#pods.set(uid, (containers = new Map()))
    containers.set(name, probed)
    if (probed.adopted && status) {
      if (container.startupProbe && status.started) probed.results.set("startup", true)
      if (container.readinessProbe) probed.results.set("readiness", status.ready)
    }
    if (container.startupProbe && !probed.results.get("startup")) this.#start(probed, "startup")
    else this.#startLasting(probed)
  }

  stop(podUid: string, container?: string): void {
    const containers = this.#pods.get(podUid)
    if (!containers) return
    for (const [name, probed] of containers) {
      if (container !== undefined && name !== container) continue
      containers.delete(name)
      this.#scope.run("end of probes", () => probed.scope.close(), { contained: true })
    }
    if (containers.size === 0) this.#pods.delete(podUid)
  }

  result(podUid: string, container: string, containerId: string, type: ProbeType): boolean | undefined {
    const probed = this.#pods.get(podUid)?.get(container)
    return probed?.containerId === containerId ? probed.results.get(type) : undefined
  }

  stopLivenessAndStartup(podUid: string): void {
    for (const probed of this.#pods.get(podUid)?.values() ?? []) {
      for (const [type, scope] of probed.running) {
        if (type === "readiness") continue
        probed.running.delete(type)
        this.#scope.run("end of probes", () => scope.close(), { contained: true })
      }
    }
  }

  metrics(): string {
    return this.#meter.text()
  }

  *#counts(): Generator<readonly [labelValues: readonly string[], value: number]> {
    for (const containers of this.#pods.values())
      for (const { pod, container, counts } of containers.values()) {
        const { name, namespace = "", uid } = pod.metadata
        for (const { type, result, count } of counts.values())
          yield [[container.name, namespace, name, uid, type, result], count]
      }
  }

  #startLasting(probed: Probed): void {
    if (probed.container.readinessProbe) this.#start(probed, "readiness")
    if (probed.container.livenessProbe) this.#start(probed, "liveness")
  }

  #start(probed: Probed, type: ProbeType): void {
    const { env, runtime, network, recorder } = this.#options
    const probe = probeOf(probed.container, type)!
    // After a restart of the kubelet all probes would come at once.
    const periodMs = (probe.periodSeconds || 10) * 1000
    const fresh = env.clock.now() - this.#beganMs < periodMs
    const jitterMs = probed.adopted && fresh ? env.random.next() * periodMs : 0
    const { pod, container, containerId, podIP, startedMs } = probed
    const worker = {
      ...{
        env,
        runtime,
        network,
        recorder,
        pod,
        container,
        containerId,
        podIP,
        startedMs,
        probe,
        type,
        jitterMs,
      },
      initial: probed.results.get(type),
      onProbed: (result: ProbeResultName) => {
        const key = `${type} ${result}`
        const known = probed.counts.get(key)
        if (known) known.count++
        else probed.counts.set(key, { type: probeNames[type], result, count: 1 })
      },
      onResult: (success: boolean, message: string) => this.#take(probed, type, probe, success, message),
    }
    const scope = probed.scope.child(type)
    probed.running.set(type, scope)
    scope.run("probes", (signal) => runProbeWorker(worker, signal), { restart: true })
  }

  #take(probed: Probed, type: ProbeType, probe: Readonly<Probe>, success: boolean, message: string): void {
    if (probed.scope.signal.aborted || !probed.running.has(type)) return
    probed.results.set(type, success)
    if (type === "startup" && success) this.#startLasting(probed)
    this.#options.onOutcome({
      podUid: probed.pod.metadata.uid,
      container: probed.container.name,
      containerId: probed.containerId,
      type,
      success,
      message,
      terminationGracePeriodSeconds: probe.terminationGracePeriodSeconds,
    })
  }
}

function probeOf(container: Readonly<Container>, type: ProbeType): Readonly<Probe> | undefined {
  if (type === "liveness") return container.livenessProbe
  return type === "readiness" ? container.readinessProbe : container.startupProbe
}

function findContainer(pod: Readonly<Pod>, name: string): Readonly<Container> | undefined {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((one) => one.name === name)
}

/** What the pod's object says of this very container, when it says that it runs. */
function runningStatus(
  pod: Readonly<Pod>,
  name: string,
  containerId: string,
): { readonly startedMs: number; readonly ready: boolean; readonly started: boolean } | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {}
  const status = [...containerStatuses, ...initContainerStatuses].find((one) => one.name === name)
  const startedAt = status?.state?.running?.startedAt
  if (!status || !startedAt || status.containerID?.replace(/^[^:]+:\/\//, "") !== containerId)
    return undefined
  return { startedMs: parseTime(startedAt), ready: status.ready, started: status.started ?? false }
}
