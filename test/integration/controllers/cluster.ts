/** A whole control plane without nodes, on a virtual clock: API server core, memory store and all controllers. */
import assert from "node:assert/strict"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { kinds, node, pod, serviceAccount, type Pod } from "@knarr/api"
import { createControlPlane, type ControlPlane, type HostedVersion, type UserInfo } from "@knarr/apiserver"
import { forbidden, formatTime, type Kind, type KubeObject } from "@knarr/apimachinery"
import {
  createCA,
  createLogger,
  type Logger,
  Scope,
  seededRandom,
  silentLogger,
  VirtualClock,
  type Env,
  Meter,
} from "@knarr/base"
import { createInformerFactory, type Client, type InformerFactory } from "@knarr/client"
import { runControllers, type Controller } from "@knarr/controller-kit"
import { createControllers } from "@knarr/controller-manager"
import { createMemoryStore } from "@knarr/store"

const { privateKey } = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
})

/** As old as a virtual clock at its start. */
const signingCA = createCA({
  subject: { commonName: "test-ca" },
  serial: randomBytes(16),
  notBeforeMs: Date.UTC(1990, 0),
  notAfterMs: Date.UTC(2049, 0),
})

export interface TestCluster extends AsyncDisposable {
  readonly client: Client
  readonly clock: VirtualClock
  readonly env: Env
  readonly informers: InformerFactory
  readonly plane: ControlPlane
  /** Lets the cluster run until `done` holds of what the API server has. Virtual seconds. */
  until(what: string, done: () => boolean, limitSeconds?: number): Promise<void>
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): readonly T[]
  get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): T | undefined
  /** Adds a node that is ready. */
  addNode(name: string, labels?: Record<string, string>): Promise<void>
  /** Plays kubelet for a pod: running and ready, with an address. */
  makeReady(one: Pod, nodeName?: string): Promise<void>
}

export async function startCluster(
  options: {
    readonly seed?: number
    readonly extra?: readonly Controller[]
    readonly useServiceAccounts?: boolean
    /** Default: nothing is logged. */
    readonly log?: Logger
    /** Replaces each controller by another; default: as they are. */
    readonly adapt?: (controller: Controller) => Controller
    /** Groups of which nothing is stored. */
    readonly hosted?: readonly HostedVersion[]
  } = {},
): Promise<TestCluster> {
  const clock = new VirtualClock()
  const log = process.env["KNARR_TEST_LOG"]
    ? createLogger({ clock, level: "debug", write: (line) => process.stderr.write(line) })
    : (options.log ?? silentLogger)
  const env: Env = { clock, random: seededRandom(options.seed ?? 1), log, meter: new Meter() }
  const scope = new Scope("cluster", { env })
  const store = createMemoryStore({ env })
  const serviceAccounts = { signingKey: privateKey, issuers: ["https://kubernetes.default.svc"] }
  const plane = await createControlPlane({
    env,
    store,
    kinds,
    scope: scope.child("apiserver"),
    serviceAccounts,
    hosted: () => options.hosted ?? [],
  })
  await plane.bootstrap()
  const client = plane.client()
  const denied: string[] = []
  const informers = createInformerFactory({ client, scope: scope.child("informers"), env })
  const controllers = [
    ...createControllers({ rootCA: signingCA.cert, signingCA, clusterCIDR: "10.244.0.0/16" }),
    ...(options.extra ?? []),
  ].map(options.adapt ?? ((controller) => controller))
  await runControllers({
    controllers,
    client: withAuthorization(client, plane, denied),
    env,
    scope: scope.child("controllers"),
    informers,
    useServiceAccounts: options.useServiceAccounts ?? true,
  })
  const account = { namespace: "default", name: "default" }
  await clock.runUntil(() => plane.registry.get(serviceAccount, account) !== undefined, {
    what: "the default service account",
    limitMs: 30_000,
  })
  let addresses = 1
  return {
    client,
    clock,
    env,
    informers,
    plane,
    until: (what, done, limitSeconds = 30) => clock.runUntil(done, { what, limitMs: limitSeconds * 1000 }),
    list: (kind, namespace) => plane.registry.list(kind, namespace),
    get: (kind, name, namespace) => plane.registry.get(kind, { namespace, name }),
    async addNode(name, labels = {}) {
      const now = formatTime(clock.now())
      const conditions = [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ]
      await client.create(node, { metadata: { name, labels }, spec: {} })
      await client.patch(node, { name }, "strategic", { status: { conditions } }, { subresource: "status" })
    },
    async makeReady(one, nodeName = "node-a") {
      const ref = { namespace: one.metadata.namespace, name: one.metadata.name }
      if (!one.spec.nodeName) {
        const target = { apiVersion: "v1", kind: "Node", name: nodeName }
        await client.createSubresource(pod, ref, "binding", { metadata: { name: ref.name }, target })
      }
      const now = formatTime(clock.now())
      const podIP = `10.244.0.${addresses++}`
      const conditions = [{ type: "Ready", status: "True", lastTransitionTime: now }]
      const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], startTime: now, conditions }
      await client.patch(pod, ref, "strategic", { status }, { subresource: "status" })
    },
    async [Symbol.asyncDispose]() {
      await scope.close()
      assert.deepEqual([...new Set(denied)], [], "controllers asked for what their roles do not allow")
    },
  }
}

const verbs: Readonly<Record<string, string>> = {
  get: "get",
  list: "list",
  watch: "watch",
  create: "create",
  update: "update",
  patch: "patch",
  delete: "delete",
  deleteCollection: "deletecollection",
  createSubresource: "create",
  getSubresource: "get",
}

/** `client`, whose `as()` asks the cluster's own authoriser about each call, as a server on the network does. */
function withAuthorization(client: Client, plane: ControlPlane, denied: string[]): Client {
  const check = (user: UserInfo, method: string, args: readonly any[]): void => {
    const [kind, target, third] = args as [Kind, any, any]
    const options = { update: third, patch: method === "patch" ? args[4] : undefined }[method] ?? {}
    const subresource = method.endsWith("Subresource") ? third : (options.subresource ?? "")
    const isPlain = method === "list" || method === "watch" || method === "deleteCollection"
    const meta = isPlain ? {} : (target.metadata ?? target)
    const namespace = (isPlain ? target?.namespace : (meta.namespace ?? third?.metadata?.namespace)) ?? ""
    const attributes = {
      verb: verbs[method]!,
      apiGroup: kind.group,
      apiVersion: kind.version,
      resource: kind.plural,
      subresource,
      namespace,
      name: meta.name ?? "",
      path: "",
      isResourceRequest: true,
    }
    const decision = plane.authorizer.authorize(user, attributes, {})
    assert.ok(!(decision instanceof Promise), "Node and RBAC answer at once")
    if (decision.verdict !== "allow") {
      const what = `${user.name}: ${attributes.verb} ${kind.plural}.${kind.group}/${subresource}`
      denied.push(what)
      throw forbidden({ group: kind.group, resource: kind.plural }, attributes.name, what)
    }
  }
  const wrap = (inner: Client, user: UserInfo): Client =>
    new Proxy(inner, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property)
        if (typeof value !== "function") return value
        if (!((property as string) in verbs)) return value.bind(target)
        return (...args: unknown[]) => {
          check(user, property as string, args)
          return value.apply(target, args)
        }
      },
    })
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (property === "as") return (user: { name: string; groups: string[] }) => wrap(target.as(user), user)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

/** A pod template with one container. */
export function template(
  labels: Record<string, string>,
  image = "app:1",
): { metadata: { labels: Record<string, string> }; spec: Pod["spec"] } {
  return { metadata: { labels }, spec: { containers: [{ name: "app", image }] } as Pod["spec"] }
}
