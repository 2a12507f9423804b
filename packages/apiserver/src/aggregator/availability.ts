/**
 * Whether APIServices can be had: those of other servers are asked for their discovery, and what keeps them from
 * answering becomes their condition. Mirrors: kube-aggregator pkg/controllers/status/{local,remote}
 */
import { apiService, endpointSlice, service, type EndpointSlice } from "@knarr/api"
import { isConflict, isNotFound } from "@knarr/apimachinery"
import { asError, messageOf, TimeoutError, withTimeout, type Env, type Scope } from "@knarr/base"
import { createWorkQueue, type Client } from "@knarr/client"
import type { Registry } from "../registry/registry.ts"
import { dialText } from "../outbound/dial-text.ts"
import { isTrueCondition, localAvailability, withAvailability, type Availability } from "./conditions.ts"
import { pathOf, remoteOf, type RemoteService } from "./remote-service.ts"
import type { RemoteTransports } from "./remote-transports.ts"
import { aggregatorUser, userHeaders } from "./user-headers.ts"

export interface AvailabilityOptions {
  readonly env: Env
  readonly registry: Registry
  /** Acts as the server itself. */
  readonly client: Client
  readonly transports: RemoteTransports
}

/** How many ask for discovery at once; one answer is enough. */
const attempts = 5
const answerLimitMs = 5000
/** How often a service of which nothing was heard is asked again. */
const askAgainMs = 30_000
const workers = 5
const maxBackoffMs = 30_000

/** Keeps the conditions of all APIServices until the scope closes. */
export function keepAvailability(options: AvailabilityOptions, scope: Scope): void {
  const { env, registry } = options
  const { client } = options
  const queue = scope.use(createWorkQueue(env, "remote_availability"))
  const unavailable = env.meter.counter({
    name: "aggregator_unavailable_apiservice_total",
    help: "Counter of APIServices which are marked as unavailable broken down by APIService name and reason.",
    labels: ["name", "reason"],
  })
  scope.use(
    env.meter.collect(
      "gauge",
      {
        name: "aggregator_unavailable_apiservice",
        help: "Gauge of APIServices which are marked as unavailable broken down by APIService name.",
        labels: ["name"],
      },
      () =>
        registry.list(apiService).map((object) => [[object.metadata.name], isTrueCondition(object) ? 0 : 1]),
    ),
  )
  const addThoseOf = (namespace: string, name: string): void => {
    for (const object of registry.list(apiService)) {
      const at = object.spec.service
      if (at?.namespace === namespace && at.name === name) queue.add(object.metadata.name)
    }
  }
  scope.use(
    registry.onChange(apiService, (objects) => {
      for (const { name } of objects) queue.add(name)
    }),
  )
  scope.use(
    registry.onChange(service, (objects) => {
      for (const { namespace, name } of objects) addThoseOf(namespace, name)
    }),
  )
  scope.use(
    registry.onChange(endpointSlice, (objects) => {
      for (const { namespace, labels } of objects) {
        const name = labels?.["kubernetes.io/service-name"]
        if (name) addThoseOf(namespace, name)
      }
    }),
  )
  for (const { metadata } of registry.list(apiService)) queue.add(metadata.name)

  /** Sets the condition; throws what keeps the service from answering, so that it is asked again soon. */
  const sync = async (name: string, signal: AbortSignal): Promise<void> => {
    const object = registry.get(apiService, { name })
    if (!object) return
    const remote = remoteOf(object)
    const said = remote ? await availabilityOf(remote, options, signal) : localAvailability
    const next = withAvailability(object, said, env.clock.now())
    if (next) {
      await client.update(apiService, next, { subresource: "status", signal })
      if (isTrueCondition(object) && said.status !== "True") unavailable.add(1, name, said.reason)
    }
    if (said.reason === failedCheck) throw new Error(said.message)
    if (remote) queue.addAfter(name, askAgainMs)
  }
  const work = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const name = await queue.get(signal)
      try {
        await sync(name, signal)
        queue.forget(name)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        if (!isConflict(thrown) && !isNotFound(thrown))
          env.log.debug("An API service does not answer", { name, err: messageOf(thrown) })
        if (queue.failures(name) > 12) queue.addAfter(name, maxBackoffMs)
        else queue.addRateLimited(name)
      } finally {
        queue.done(name)
      }
    }
  }
  for (let i = 0; i < workers; i++) scope.run(`availability ${i}`, work, { restart: true })
}

const failedCheck = "FailedDiscoveryCheck"
const cannot = (reason: string, message: string): Availability => ({ status: "False", reason, message })

/** What the cluster's objects say, and then the service itself. */
async function availabilityOf(
  remote: RemoteService,
  options: AvailabilityOptions,
  signal: AbortSignal,
): Promise<Availability> {
  const { registry } = options
  const { namespace, name, port } = remote.service
  const quoted = JSON.stringify(namespace)
  const found = registry.get(service, { namespace, name })
  if (!found) return cannot("ServiceNotFound", `service/${name} in ${quoted} is not present`)
  if ((found.spec.type ?? "ClusterIP") === "ClusterIP") {
    const match = found.spec.ports?.find((one) => one.port === port)
    if (!match)
      return cannot("ServicePortError", `service/${name} in ${quoted} is not listening on port ${port}`)
    const slices = registry
      .list(endpointSlice, namespace)
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name)
    if (slices.length === 0)
      return cannot("EndpointsNotFound", `cannot find endpointslices for service/${name} in ${quoted}`)
    const portName = match.name ?? ""
    if (!slices.some((slice) => isServing(slice, portName)))
      return cannot(
        "MissingEndpoints",
        `endpointslices for service/${name} in ${quoted} have no addresses with port name ${JSON.stringify(portName)}`,
      )
  }
  const failure = await checkDiscovery(remote, options, signal)
  return failure === undefined
    ? { status: "True", reason: "Passed", message: "all checks passed" }
    : cannot(failedCheck, failure)
}

function isServing({ endpoints, ports }: Readonly<EndpointSlice>, portName: string): boolean {
  return (
    (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false) &&
    (ports ?? []).some((one) => (one.name ?? "") === portName && one.port !== undefined)
  )
}

/** Why nobody answers; undefined when one of several did. */
async function checkDiscovery(
  remote: RemoteService,
  options: AvailabilityOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const done = new AbortController()
  const stop = (): void => done.abort(signal.reason)
  signal.addEventListener("abort", stop, { once: true })
  const checks = Array.from({ length: attempts }, () => checkOnce(remote, options, done.signal))
  let last = ""
  try {
    await Promise.any(
      checks.map(async (check) => {
        const failure = await check
        if (failure === undefined) return
        last = failure
        throw new Error(failure)
      }),
    )
    return undefined
  } catch {
    signal.throwIfAborted()
    return last
  } finally {
    signal.removeEventListener("abort", stop)
    done.abort()
    await Promise.allSettled(checks)
  }
}

async function checkOnce(
  remote: RemoteService,
  { env, transports }: AvailabilityOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = pathOf(remote)
  let at: ReturnType<RemoteTransports["to"]>
  try {
    at = transports.to(remote)
  } catch (thrown) {
    return messageOf(thrown)
  }
  const url = `https://${at.authority}${path}`
  const because = (why: string): string => `failing or missing response from ${url}: ${why}`
  try {
    return await withTimeout(env.clock, answerLimitMs, url, signal, async (limited) => {
      const { status, body } = await at.transport.request({
        method: "GET",
        path,
        headers: userHeaders(aggregatorUser),
        signal: limited,
      })
      for await (const _ of body) break
      return status >= 200 && status < 300 ? undefined : because(`bad status from ${url}: ${status}`)
    })
  } catch (thrown) {
    const late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    return because(`Get "${url}": ${thrown instanceof TimeoutError ? late : dialText(asError(thrown))}`)
  }
}
