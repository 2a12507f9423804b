/** Keeps the kernel's table in step with the API: one transaction per burst of changes. */
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { deferred, type Env, type Scope } from "@knarr/base"
import { endpointSlice, service, type Pod } from "@knarr/api"
import type { Informer, InformerFactory } from "@knarr/client"
import { computeRuleset, fullText, updateText, type Ruleset } from "./ruleset.ts"
import { computeProxyState } from "./service-map.ts"

export interface ServiceProxyOptions {
  /** Of services and slices. */
  readonly informers: InformerFactory
  /** This node's pods: their host ports are served here. */
  readonly pods: Informer<Pod>
  readonly env: Env
  readonly scope: Scope
  readonly nodeName: string
  readonly table: string
  /** Of the whole cluster. */
  readonly podCIDR: string
  /** Addresses whose Services another part of the node answers itself (cluster DNS). */
  readonly localAddresses?: readonly string[]
}

const sliceIndex = "proxyService"
/** Changes within this time become one transaction. */
const gatherMs = 5
const retryMs = 1_000
/** Lets a host port on 127.0.0.1 lead to a pod; the table's guard keeps others off the loopback. */
const routeLocalnet = "/proc/sys/net/ipv4/conf/all/route_localnet"

/** Starts programming the kernel. Resolves after the first complete synchronisation. The rules stay when the scope ends. */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<void> {
  const { informers, pods, env, scope, nodeName, table, podCIDR } = options
  const services = informers.informer(service)
  const slices = informers.informer(endpointSlice)
  slices.addIndex(sliceIndex, (slice) => {
    const name = slice.metadata.labels?.["kubernetes.io/service-name"]
    return name ? [`${slice.metadata.namespace}/${name}`] : []
  })
  const local = new Set(options.localAddresses ?? [])
  let wake = deferred()
  let applied: Ruleset | undefined
  const first = deferred()

  const sync = async (): Promise<void> => {
    const state = computeProxyState({
      services: services.list().filter((s) => !local.has(s.spec.clusterIP ?? "")),
      slicesOf: (key) => slices.byIndex(sliceIndex, key),
      pods: pods.list(),
      nodeName,
    })
    const wanted = computeRuleset(state, { table, podCIDR })
    if (state.hostPorts.length > 0) writeFileSync(routeLocalnet, "1")
    const text = applied
      ? updateText(applied, wanted, { table, podCIDR })
      : fullText(wanted, { table, podCIDR })
    // After a failure the kernel's state is unknown: the next try writes the whole table.
    applied = undefined
    if (text) await runNft(text, scope.signal)
    applied = wanted
  }

  scope.run(
    "service proxy",
    async (signal) => {
      await Promise.all([services, slices, pods].map((informer) => informer.waitForSync(signal)))
      for (;;) {
        const next = wake.promise
        try {
          await sync()
          first.resolve()
          await next
          await env.clock.sleep(gatherMs, signal)
        } catch (thrown) {
          if (signal.aborted) return
          env.log.error("Cannot program nftables, retrying", thrown, { table })
          await env.clock.sleep(retryMs, signal)
        }
      }
    },
    { restart: true },
  )
  const onChange = (): void => {
    wake.resolve()
    wake = deferred()
  }
  scope.signal.addEventListener("abort", () => {
    first.resolve()
    wake.resolve()
  })
  for (const informer of [services, slices])
    scope.use(informer.subscribe({ added: onChange, updated: onChange, deleted: onChange }))
  const hasHostPort = (p: {
    spec: { containers: readonly { ports?: readonly { hostPort?: number | undefined }[] | undefined }[] }
  }): boolean => p.spec.containers.some((container) => container.ports?.some((port) => port.hostPort))
  const onPod = (p: Parameters<typeof hasHostPort>[0]): void => void (hasHostPort(p) && onChange())
  scope.use(pods.subscribe({ added: onPod, updated: onPod, deleted: onPod }))
  await first.promise
}

/** Removes the table; it is no error when there is none. */
export async function removeServiceProxy(table: string, signal: AbortSignal): Promise<void> {
  await runNft(`add table ip ${table}\ndelete table ip ${table}\n`, signal)
}

/** Runs one transaction. Rejects with what nft says. */
export async function runNft(text: string, signal: AbortSignal): Promise<void> {
  const done = deferred()
  const child = spawn("nft", ["-f", "-"], {
    stdio: ["pipe", "ignore", "pipe"],
    signal,
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  })
  let problem = ""
  child.stderr.on("data", (chunk: Buffer) => (problem += problem.length < 4096 ? chunk.toString("utf8") : ""))
  child.on("error", done.reject)
  child.stdin.on("error", () => {})
  child.on("close", (code) =>
    code === 0 ? done.resolve() : done.reject(new Error(`nft ended with ${code}: ${problem.trim()}`)),
  )
  child.stdin.end(text)
  await done.promise
}
