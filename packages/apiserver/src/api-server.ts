/** The API server with its port: everything of control-plane.ts behind TLS, filters and routes. */
import type { IncomingMessage } from "node:http"
import { flowSchema, kubernetesVersion } from "@knarr/api"
import type { IPv4Network } from "@knarr/apimachinery"
import { CancelledError, type Clock, type Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { Exchange, UserInfo } from "./contract.ts"
import type { Encodings } from "./encoding/encodings.ts"
import { createAuditor, type AuditOptions } from "./audit/auditor.ts"
import { AuditMetrics } from "./audit/sink.ts"
import { createControlPlane, type ControlPlane, type ControlPlaneOptions } from "./control-plane.ts"
import { streamingHandlers } from "./endpoints/connect/connect.ts"
import { type HostedVersion, respondHosted } from "./aggregator/hosted.ts"
import type { KubeletOptions } from "./endpoints/connect/kubelet.ts"
import { Destinations } from "./endpoints/connect/proxyable.ts"
import { Discovery } from "./endpoints/discovery.ts"
import type { OpenApiDocs } from "./endpoints/openapi-docs.ts"
import { OpenApi } from "./endpoints/openapi.ts"
import { createResourceHandler } from "./endpoints/resources.ts"
import { keepFairnessObjects } from "./bootstrap/fairness-objects.ts"
import { dumpPriorityLevels, dumpQueues, dumpRequests } from "./fairness/debug.ts"
import { Fairness } from "./fairness/fairness.ts"
import { versionInfo } from "./endpoints/version.ts"
import { AccessMetrics } from "./server/access-metrics.ts"
import { createFilters, type FilterOptions, type Handler } from "./server/filters.ts"
import {
  dnsNamesOf,
  followCertificates,
  readCertificates,
  type CertificateFiles,
} from "./server/certificate-files.ts"
import { lastStartHooks, startHooks } from "./server/health-names.ts"
import type { Registry } from "./registry/registry.ts"
import { resourceMetrics, type ResourceMetricsOptions } from "./resource-metrics/resource-metrics.ts"
import { Health, type HealthCheck } from "./server/health.ts"
import { defaultLimits, InFlight, type InFlightLimits } from "./server/in-flight.ts"
import {
  listen,
  type Http2Settings,
  type Listener,
  type ServingCertificates,
  type TlsSettings,
} from "./server/listener.ts"
import { addBuildMetrics } from "./server/build-metrics.ts"
import { addProcessMetrics, addStartTime } from "./server/process-metrics.ts"
import { addStorageMetrics, addStoreSize } from "./server/storage-metrics.ts"
import { RequestMetrics } from "./server/request-metrics.ts"
import { zPages } from "./server/zpages.ts"
import { askStore } from "./server/store-check.ts"
import { TableColumns } from "./endpoints/verbs/table-columns.ts"
import { respondJson } from "./server/respond.ts"
import { parseRequestInfo } from "./server/request-info.ts"
import { createRouter, type RouterOptions } from "./server/router.ts"
import { mayUpgrade } from "./server/routes.ts"

export interface ApiServerOptions extends ControlPlaneOptions {
  /** Default `["0.0.0.0"]`. */
  readonly bindAddresses?: readonly string[] | undefined
  /** 0 for any free port. */
  readonly port: number
  readonly certificates: ServingCertificates
  /** The texts of types, fields and columns, loaded when a document or a table is made; default: none. */
  readonly openApiDocs?: (() => OpenApiDocs | undefined) | undefined
  /** Further parts of `/readyz`. */
  readonly readyChecks?: readonly HealthCheck[] | undefined
  /** How to reach kubelets; without it logs, exec and the other streams answer 503. */
  readonly kubelet?: KubeletOptions | undefined
  /** Whether `metrics.k8s.io` is answered from what kubelets tell, until somebody registers another server for it. Default: no. */
  readonly resourceMetrics?: Pick<ResourceMetricsOptions, "known"> | undefined
  /**
   * Networks that nobody is led to through this server, whether as a pod, a service's endpoint or a node; asked anew
   * with each connection. Default: none.
   */
  readonly forbiddenNetworks?: (() => readonly IPv4Network[]) | undefined
  readonly limits?: InFlightLimits | undefined
  /** Whether FlowSchemas and priority levels decide who is served first; default true. */
  readonly fairness?: boolean | undefined
  /** What is recorded of requests, and where; default: nothing. */
  readonly audit?: AuditOptions | undefined
  /** Default 60. */
  readonly requestTimeoutSeconds?: number | undefined
  /** Further paths that are no resources. They do not stand in the index. */
  readonly paths?: ReadonlyMap<string, PathHandler> | undefined
  /** In which objects and failures are answered; default: JSON and YAML. */
  readonly encodings?: Encodings | undefined
  /** How long requests are served as ever after the server was told to stop, with `/readyz` failing; default 0. */
  readonly shutdownDelaySeconds?: number | undefined
  /** Directives of `Strict-Transport-Security`, which every answer has then; default: none. */
  readonly strictTransportSecurity?: readonly string[] | undefined
  /** The share of requests over HTTP/2 after which a client is sent to another connection; default 0. */
  readonly goawayChance?: number | undefined
  /** Where certificates are, that count in place of {@link certificates} and are read again when they change. */
  readonly certificateFiles?: CertificateFiles | undefined
  /** Certificates for who asks for other names, read again when they change; `names` default to the certificate's own. */
  readonly namedCertificateFiles?:
    | readonly (CertificateFiles & { readonly names?: readonly string[] | undefined })[]
    | undefined
  readonly tls?: TlsSettings | undefined
  readonly http2?: Http2Settings | undefined
  /** How long the store may take to answer before it counts as failed, for the checks `etcd` and `etcd-readiness`; default 2000 each. */
  readonly storeChecks?: { readonly healthMs?: number; readonly readyMs?: number } | undefined
  /** With which flags the program was started, without secrets, for `/flagz`; default none. */
  readonly flags?: Readonly<Record<string, string>> | undefined
  /** How long requests may take to finish when the server stops; default 5. */
  readonly shutdownGraceSeconds?: number | undefined
}

/** Answers requests to one path, of those who may; what it throws becomes the answer. */
export type PathHandler = (exchange: Exchange) => void | Promise<void>

export interface ApiServer extends ControlPlane {
  readonly port: number
  /** Serves new connections with other certificates, and verifies clients by another authority. */
  setCertificates(certificates: ServingCertificates): void
}

/** Opens the port, brings in what every cluster begins with, and resolves when the server is ready. Ends with `scope`. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { env, scope } = options
  const files = options.certificateFiles
  const fromFiles = files && (await readCertificates(files))
  const serving = fromFiles ?? options.certificates
  const clientCA = fromFiles?.clientCA ?? options.clientCA ?? options.certificates.clientCA
  const destinations = new Destinations(options.forbiddenNetworks)
  const hosted = (registry: Registry): readonly HostedVersion[] =>
    options.resourceMetrics
      ? [
          resourceMetrics({
            ...options.resourceMetrics,
            env,
            registry,
            kubelet: options.kubelet,
            destinations,
            scope,
          }),
        ]
      : []
  const plane = await createControlPlane({ hosted, ...options, clientCA })
  const { registry, aggregator } = plane
  /** Whom handshakes are verified by: each authenticator looks for its own among them. */
  const authorities = (clients: string | undefined): string | undefined =>
    [clients, options.requestHeader?.clientCA].filter((pem) => pem !== undefined).join("\n") || undefined
  const auditor =
    options.audit &&
    // Requests that are at work when the server stops are recorded still.
    (await createAuditor(options.audit, env, scope.child("audit", { lasting: true })))
  const inFlight = new InFlight(options.limits ?? {})
  const { maxReading = defaultLimits.maxReading, maxMutating = defaultLimits.maxMutating } =
    options.limits ?? {}
  const isFair = options.fairness !== false && registry.serves(flowSchema)
  const fairness = isFair ? new Fairness(env, registry, maxReading + maxMutating, scope) : undefined
  const requestMetrics = new RequestMetrics(
    env.meter,
    scope,
    inFlight,
    (info) => registry.find(info.apiGroup, info.apiVersion, info.resource)?.kind.subresources,
  )
  addProcessMetrics(env, scope)
  addBuildMetrics(env.meter, scope)
  const askStoreSize = addStoreSize(env.meter, options.store, env.log)
  if (!options.audit) new AuditMetrics(env.meter, env.log)
  addStorageMetrics(env.meter, scope, registry)

  const health = new Health()
  addStartTime({ clock: env.clock, meter: health.meter }, scope, "ALPHA")
  let stopping = false
  const isBootstrapped = (): void => {
    if (!plane.bootstrapped) throw new Error("not finished")
  }
  health.add({ name: "ping", check() {} })
  health.add({ name: "log", check() {} })
  // The loopback client needs none.
  health.add({ name: "loopback-serving-certificate", check() {} }, ["healthz", "livez"])
  const { store } = registry
  const { healthMs, readyMs } = options.storeChecks ?? {}
  health.add({ name: "etcd", check: () => askStore(store, healthMs, env.clock, scope.signal) })
  health.add({ name: "etcd-readiness", check: () => askStore(store, readyMs, env.clock, scope.signal) }, [
    "readyz",
  ])
  health.add({ name: "informer-sync", check() {} }, ["readyz"])
  const addHook = (hook: string): void => health.add({ name: `poststarthook/${hook}`, check: isBootstrapped })
  startHooks.forEach(addHook)
  health.add({ name: "autoregister-completion", check: isBootstrapped })
  lastStartHooks.forEach(addHook)
  health.add(
    {
      name: "shutdown",
      check() {
        if (stopping) throw new Error("process is shutting down")
      },
    },
    ["readyz"],
  )

  for (const check of plane.healthChecks) health.add(check)
  health.add({ name: "tasks", listed: false, check: () => tellTroubles(options.scope) }, ["readyz"])
  for (const check of options.readyChecks ?? []) health.add(check, ["readyz"])

  const advertised = (): { readonly address: string; readonly port: number } =>
    options.advertise ?? { address: "127.0.0.1", port: listener.port }
  const discovery = new Discovery(
    registry.kinds,
    () => {
      const { address, port } = advertised()
      return `${address.includes(":") ? `[${address}]` : address}:${port}`
    },
    () => aggregator?.versions ?? [],
  )
  const openApi = new OpenApi(registry.kinds, options.openApiDocs, aggregator)
  scope.use(
    registry.onKinds(() => {
      discovery.replace(registry.kinds)
      openApi.replace(registry.kinds)
    }),
  )
  if (aggregator)
    scope.use(
      aggregator.onChange(() => {
        discovery.replace(registry.kinds)
        openApi.forgetMerged()
      }),
    )
  const paths = new Map<string, Handler>()
  const healthHandler: Handler = (exchange) => health.respond(exchange)
  for (const path of ["/healthz", "/livez", "/readyz"])
    paths.set(path, healthHandler).set(`${path}/`, healthHandler)
  paths.set("/metrics", async (exchange) => {
    await askStoreSize()
    exchange.respond(200, metricsType, env.meter.text())
  })
  paths.set("/metrics/slis", (exchange) => exchange.respond(200, metricsType, health.meter.text()))
  /** Paths that are served and stand in no index. */
  const unlisted: ReadonlyMap<string, Handler> = fairness ? debugPaths(fairness, env.clock) : new Map()
  for (const [path, handler] of zPages({
    clock: env.clock,
    component: "kube-apiserver",
    flags: options.flags ?? {},
    programVersion: kubernetesVersion,
    paths: index,
  }))
    paths.set(path, handler)
  paths.set("/openapi/v2", (exchange) => openApi.respondV2(exchange))
  const openApiV3: Handler = (exchange, ctx) => openApi.respondV3(exchange, ctx)
  paths.set("/openapi/v3", openApiV3).set("/openapi/v3/", openApiV3)
  const indexHandler: Handler = (exchange) => respondJson(exchange, 200, { paths: index() })
  paths.set("/", indexHandler).set("/index.html", indexHandler)
  const known = [...paths.keys()]
  for (const [path, handler] of options.paths ?? []) paths.set(path, handler)
  const routes: RouterOptions["routes"] = new Map([
    [
      "/version",
      {
        produces: ["application/json"],
        handler: (exchange) => respondJson(exchange, 200, versionInfo()),
      },
    ],
    [
      "/openid/v1/jwks",
      {
        produces: ["application/jwk-set+json"],
        handler: (exchange) => exchange.respond(200, "application/jwk-set+json", plane.signer.jwks()),
      },
    ],
    [
      "/.well-known/openid-configuration",
      {
        produces: ["application/json"],
        handler(exchange) {
          const { address, port } = advertised()
          const host = address.includes(":") ? `[${address}]` : address
          exchange.respond(
            200,
            "application/json",
            plane.signer.openIdConfiguration(
              options.serviceAccounts.jwksUri ?? `https://${host}:${port}/openid/v1/jwks`,
            ),
          )
        },
      },
    ],
  ])

  const { handlers } = registry
  for (const handler of streamingHandlers({ env, registry, kubelet: options.kubelet, destinations, scope }))
    handlers.add(handler)
  const filters: FilterOptions = {
    env,
    authenticator: plane.authenticator,
    authorizer: plane.authorizer,
    inFlight,
    metrics: requestMetrics,
    auditor,
    fairness,
    access: new AccessMetrics(env.meter, env.clock),
    requestTimeoutSeconds: options.requestTimeoutSeconds,
    goawayChance: options.goawayChance,
    strictTransportSecurity: options.strictTransportSecurity,
    encodings: options.encodings,
    servesGroup: (name) => registry.kinds.some(({ group, rules }) => group === name && rules === "native"),
    elsewhere(info) {
      const remote = aggregator?.serviceOf(info)
      if (remote) return (exchange, ctx) => aggregator!.proxy(remote, exchange, ctx)
      const hosted = aggregator?.hostedOf(info)
      return hosted && ((exchange, ctx) => respondHosted(hosted, exchange, ctx.info))
    },
    kindOf: (info) => registry.find(info.apiGroup, info.apiVersion, info.resource)?.kind,
    handler: createRouter({
      resources: createResourceHandler(registry, new TableColumns(options.openApiDocs), options.encodings),
      streaming({ apiGroup, apiVersion, resource, subresource }) {
        const storage = registry.find(apiGroup, apiVersion, resource)
        return storage && handlers.connectOf(storage.kind, subresource)
      },
      paths: new Map([...paths, ...unlisted]),
      routes,
      discovery: (exchange) => discovery.respond(exchange),
    }),
  }

  const takesUpgrade = (request: IncomingMessage): boolean => {
    const [path = ""] = (request.url ?? "").split("?", 1)
    const info = parseRequestInfo(request.method ?? "", path, new URLSearchParams())
    return mayUpgrade(info, request.headers.upgrade ?? "") || aggregator?.serviceOf(info) !== undefined
  }
  const chain = createFilters(filters)
  const handshakeFailures = env.meter.counter({
    name: "apiserver_tls_handshake_errors_total",
    help: "Number of requests dropped with 'TLS handshake error from' error",
  })
  const listener: Listener = await listen({
    clock: env.clock,
    log: env.log,
    bindAddresses: options.bindAddresses ?? ["0.0.0.0"],
    port: options.port,
    certificates: { ...serving, clientCA: authorities(clientCA) },
    tls: options.tls,
    http2: options.http2,
    onRequest: (exchange) => chain.handle(exchange),
    onHandshakeFailed: () => handshakeFailures.add(1),
    takesUpgrade,
  })
  scope.defer(async () => {
    stopping = true
    // Whoever balances load sees `/readyz` fail before connections are refused.
    const delayMs = (options.shutdownDelaySeconds ?? 0) * 1000
    if (delayMs > 0) await env.clock.sleep(delayMs, new AbortController().signal)
    listener.beginShutdown()
    chain.endLongRunning(new CancelledError("The server"))
    await listener.close((options.shutdownGraceSeconds ?? 5) * 1000)
  })

  function index(): string[] {
    const all = new Set<string>([
      ...known,
      ...routes.keys(),
      ...health.paths(),
      "/api",
      "/api/v1",
      "/apis",
      "/apis/",
    ])
    for (const group of discovery.groups()) {
      all.add(`/apis/${group.name}`)
      for (const version of group.versions) all.add(`/apis/${group.name}/${version}`)
    }
    return [...all]
      .filter((path) => path !== "/" && path !== "/index.html" && !/^\/(healthz|livez|readyz)\/$/.test(path))
      .sort()
  }

  await plane.bootstrap()
  if (isFair) await keepFairnessObjects({ env, registry, client: plane.client(), scope })
  const setCertificates = (certificates: ServingCertificates): void => {
    const authority = certificates.clientCA ?? clientCA
    listener.setCertificates({ ...certificates, clientCA: authorities(authority) })
    plane.certificates.setAuthority(authority)
  }
  if (files) followCertificates(files, serving, env, scope, setCertificates)
  for (const { names, ...pair } of options.namedCertificateFiles ?? []) {
    const set = (own: ServingCertificates): void =>
      listener.setNamedCertificates(names ?? dnsNamesOf(own.cert), {
        ...own,
        clientCA: authorities(clientCA),
      })
    const present = await readCertificates(pair)
    set(present)
    followCertificates(pair, present, env, scope, set)
  }
  return {
    ...plane,
    port: listener.port,
    setCertificates,
  }
}

export type { Client, UserInfo }

const metricsType = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

function debugPaths(fairness: Fairness, clock: Clock): Map<string, Handler> {
  const paths = new Map<string, Handler>()
  const add = (name: string, dump: (query: URLSearchParams) => string): void =>
    void paths.set(`/debug/api_priority_and_fairness/${name}`, (exchange) =>
      exchange.respond(200, "text/plain; charset=utf-8", dump(exchange.query)),
    )
  add("dump_priority_levels", () => dumpPriorityLevels(fairness))
  add("dump_queues", () => dumpQueues(fairness))
  add("dump_requests", (query) =>
    dumpRequests(fairness, clock, (query.get("includeRequestDetails") ?? "") !== ""),
  )
  return paths
}

/** Throws when background work of the process has failed and waits for its next start. */
function tellTroubles(scope: Scope): void {
  const waiting = scope.troubles().filter((trouble) => trouble.waiting)
  if (waiting.length === 0) return
  throw new Error(
    waiting
      .map(({ task, restarts, error }) => `${task} is started again (${restarts} failures): ${error}`)
      .join("; "),
  )
}
