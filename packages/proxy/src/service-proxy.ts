/**
 * Keeps the kernel's table in step with the API: one transaction per burst of changes. An object that cannot be
 * programmed is left out by itself, gets an event, and is tried again when it changes.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { Backoff, abortable, deferred, messageOf, type Env, type Scope } from "@knarr/base"
import {
  ipv4,
  line,
  type AddressText,
  type IPFamily,
  type LinkName,
  type NameText,
  type NetworkText,
} from "@knarr/apimachinery"
import { endpointSlice, node as nodeKind, pod as podKind, service, type Pod } from "@knarr/api"
import type { EventRecorder, Informer, InformerFactory } from "@knarr/client"
import { createStaleFlows, removeFlows, udpText } from "./conntrack.ts"
import { KernelTable } from "./kernel-table.ts"
import { runNft } from "./nft.ts"
import { ProxyHealth } from "./proxy-health.ts"
import type { RulesetOptions } from "./ruleset.ts"
import { createServiceHealth } from "./service-health.ts"
import { computeProxyState, keyOf, type ProxyState, type Refused } from "./service-map.ts"

/** Of one family. A node with two has two proxies, which share their informers. */
export interface ServiceProxyOptions {
  readonly family: IPFamily
  /** Of services, slices and nodes. */
  readonly informers: InformerFactory
  /** This node's pods: their host ports are served here. */
  readonly pods: Informer<Pod>
  /** Says what of a Service or a pod is not programmed. */
  readonly events: EventRecorder
  readonly env: Env
  readonly scope: Scope
  readonly nodeName: string
  readonly nodeIP: AddressText
  readonly table: NameText
  /** Of the whole cluster. */
  readonly podCIDR: NetworkText
  readonly serviceCIDR: NetworkText
  readonly nodeCIDR: NetworkText
  /** Ranges of this machine's other clusters, at this moment. */
  readonly foreign: () => readonly NetworkText[]
  /** The machine's own addresses, at this moment. */
  readonly ownAddresses: () => readonly AddressText[]
  readonly links: RulesetOptions["links"]
  /** The bridge of this node's pods. */
  readonly podLink: LinkName
  /** Where this node listens for the cluster. */
  readonly doors: RulesetOptions["doors"]
  /** Addresses whose Services another part of the node answers itself (cluster DNS). */
  readonly localAddresses?: readonly string[]
  /** Where health is served on `nodeIP`, and metrics on 127.0.0.1; default: nowhere. */
  readonly ports?: { readonly healthz: number; readonly metrics: number }
}

export interface ServiceProxy {
  /** Undefined while the kernel knows what it should, else why not. */
  problem(): string | undefined
}

const sliceIndex = "proxyService"
/** Changes within this time become one transaction. */
const gatherMs = 5
/** So often it is looked whether the table is there still. */
const lookAgainMs = 60_000
const minRetryMs = 1_000
const maxRetryMs = 30_000
const nothing: Pick<ProxyState, "servicePorts" | "hostPorts"> = {
  servicePorts: [],
  hostPorts: [],
}

/** Starts programming the kernel. Resolves after the first complete synchronisation. The rules stay when the scope ends. */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<ServiceProxy> {
  const { family, informers, pods, events, env, scope, nodeName, nodeIP, table } = options
  const services = informers.informer(service)
  const slices = informers.informer(endpointSlice)
  const nodes = informers.informer(nodeKind)
  slices.addIndex(sliceIndex, (slice) => {
    const name = slice.metadata.labels?.["kubernetes.io/service-name"]
    return name ? [`${slice.metadata.namespace}/${name}`] : []
  })
  const local = new Set(options.localAddresses ?? [])
  const health = new ProxyHealth(family, env.clock, () => nodes.get({ name: nodeName }))
  const serviceHealth = createServiceHealth(scope, () => health.healthy)
  const kernel = new KernelTable(options)
  const flows = createFlowCleanup(family, env, health)
  const complain = createComplaints(env, events)
  let wake = deferred()
  /** Why the kernel could not be programmed; "" while it can. */
  let said = ""
  const first = deferred()

  const sync = async (signal: AbortSignal): Promise<void> => {
    const start = env.clock.monotonic()
    const state = computeProxyState({
      family,
      services: services.list().filter((s) => !local.has(s.spec?.clusterIP ?? "")),
      slicesOf: (key) => slices.byIndex(sliceIndex, key),
      pods: pods.list(),
      nodeName,
      zone: nodes.get({ name: nodeName })?.metadata.labels?.["topology.kubernetes.io/zone"],
      reserved: [options.podCIDR, options.serviceCIDR, options.nodeCIDR],
      foreign: options.foreign(),
      ownAddresses: options.ownAddresses(),
    })
    const refused = await kernel.program(state, signal)
    health.updated((env.clock.monotonic() - start) / 1000)
    // The loopback of IPv6 leads nowhere else.
    if (state.hostPorts.length > 0 && family === ipv4) openLoopback(options.podLink, env)
    const unheard = await serviceHealth.sync(state.healthChecks)
    complain([...state.refused, ...refused, ...unheard])
    await flows(state, signal)
  }

  /** Until something changes, or the kernel's table has been removed by others. */
  const changeOrLoss = async (change: Promise<void>, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const timeUp = deferred<"look">()
      using _look = env.clock.timer(lookAgainMs, () => timeUp.resolve("look"))
      if ((await abortable(Promise.race([change, timeUp.promise]), signal)) !== "look") return
      if (!(await kernel.isGone(signal))) continue
      env.log.warn("Somebody removed the table of the Services: it is made again", { table })
      return
    }
  }

  scope.run(
    "service proxy",
    async (signal) => {
      await Promise.all([services, slices, nodes, pods].map((informer) => informer.waitForSync(signal)))
      const retry = new Backoff({ firstMs: minRetryMs, maxMs: maxRetryMs })
      for (;;) {
        const next = wake.promise
        try {
          await sync(signal)
          first.resolve()
          retry.reset()
          said = ""
          await changeOrLoss(next, signal)
          await env.clock.sleep(gatherMs, signal)
        } catch (thrown) {
          signal.throwIfAborted()
          health.failed()
          if (messageOf(thrown) !== said)
            env.log.error("Cannot program nftables, retrying", thrown, { table })
          said = messageOf(thrown)
          await retry.wait(env.clock, signal)
        }
      }
    },
    { restart: true },
  )
  const onChange = (): void => {
    health.queued()
    wake.resolve()
    wake = deferred()
  }
  scope.signal.addEventListener("abort", () => first.resolve(), { once: true })
  for (const informer of [services, slices])
    scope.use(informer.subscribe({ added: onChange, updated: onChange, deleted: onChange }))
  const onPod = (pod: Readonly<Pod>): void => void (hasHostPort(pod) && onChange())
  scope.use(pods.subscribe({ added: onPod, updated: onPod, deleted: onPod }))
  // Without its ports the proxy works all the same.
  if (options.ports) {
    const { healthz, metrics } = options.ports
    health.serveMetrics(scope, metrics)
    await health
      .serve(scope, nodeIP, healthz)
      .catch((thrown: unknown) => env.log.error("Cannot serve the proxy's health", thrown))
  }
  await first.promise
  return {
    problem: () => (health.healthy ? undefined : said || "a change waits for more than a minute"),
  }
}

function hasHostPort({ spec }: Readonly<Pod>): boolean {
  return [...(spec.initContainers ?? []), ...spec.containers].some((container) =>
    container.ports?.some((port) => port.hostPort),
  )
}

/** Ends stale UDP flows whenever what they depend on has changed. That it cannot is said once. */
function createFlowCleanup(
  family: IPFamily,
  env: Env,
  health: ProxyHealth,
): (state: ProxyState, signal: AbortSignal) => Promise<void> {
  let before = nothing
  let text = ""
  let said = ""
  return async (state, signal) => {
    const now = udpText(state)
    if (now === text) return
    try {
      // A cluster that never had such a port has no such flow.
      if (text !== "" || now !== udpText(nothing))
        health.removedFlows(await removeFlows(family, createStaleFlows(state, before), signal))
      said = ""
    } catch (thrown) {
      signal.throwIfAborted()
      if (messageOf(thrown) !== said) env.log.error("Cannot end UDP flows to endpoints that are gone", thrown)
      said = messageOf(thrown)
    }
    before = state
    text = now
  }
}

/** Says what is not programmed, once as long as it stays so. */
function createComplaints(env: Env, events: EventRecorder): (refused: readonly Refused[]) => void {
  let known = new Set<string>()
  const versions = { Service: service.apiVersion, Pod: podKind.apiVersion }
  return (refused) => {
    const now = new Set<string>()
    for (const { owner, reason } of refused) {
      const key = `${keyOf(owner)} ${owner.uid} ${reason}`
      if (now.has(key)) continue
      now.add(key)
      if (known.has(key)) continue
      const { kind, namespace, name, uid } = owner
      env.log.warn("The service proxy leaves something out", { kind, object: `${namespace}/${name}`, reason })
      const regarding = { apiVersion: versions[kind], kind, metadata: { namespace, name, uid } }
      events.event(regarding, "Warning", "FailedToProgramProxy", `Not programmed on this node: ${reason}`)
    }
    known = now
  }
}

/**
 * Lets a host port on 127.0.0.1 lead to a pod, over that link alone and behind the table's guard, which keeps others
 * off the loopback. Where it cannot be done, host ports answer on every address but the loopback.
 */
function openLoopback(link: LinkName, env: Env): void {
  const path = `/proc/sys/net/ipv4/conf/${link}/route_localnet`
  try {
    if (existsSync(path) && readFileSync(path, "utf8").trim() !== "1") writeFileSync(path, "1")
  } catch (thrown) {
    env.log.debug("Cannot let host ports answer on the loopback", { err: messageOf(thrown) })
  }
}

/** Removes the table; it is no error when there is none. */
export async function removeServiceProxy(
  { word: ip }: IPFamily,
  table: NameText,
  signal: AbortSignal,
): Promise<void> {
  await runNft(line`add table ${ip} ${table}\ndelete table ${ip} ${table}\n`, signal)
}
