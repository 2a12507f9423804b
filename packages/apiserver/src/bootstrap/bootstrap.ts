/**
 * Brings the objects that every cluster begins with into the store: namespaces, roles, bindings, priority
 * classes, fairness, the `kubernetes` Service. What is there already is left alone, except that roles and
 * bindings with the autoupdate annotation get back what they lack.
 * Mirrors: plugin/pkg/auth/authorizer/rbac/bootstrappolicy, pkg/controlplane/controller
 */
import {
  apiService,
  clusterRole,
  clusterRoleBinding,
  configMap,
  flowSchema,
  namespace,
  priorityClass,
  priorityLevelConfiguration,
  role,
  roleBinding,
  service,
  serviceCIDR,
  uncoveredRules,
} from "@knarr/api"
import type { APIService, flowcontrolV1, ClusterRole, Creatable, PolicyRule, Subject } from "@knarr/api"
import {
  deepClone,
  isAlreadyExists,
  isConflict,
  formatTime,
  parseTime,
  type Kind,
  type KubeObject,
  sameKind,
  sameResource,
} from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import type { Env } from "@knarr/base"
import type { ObjectReader } from "../authn/service-account-tokens.ts"
import { requestHeaderNames, type RequestHeaderOptions } from "../authn/front-proxy.ts"
import { ensureKubernetesEndpoints } from "./kubernetes-endpoints.ts"
import { bootstrapText } from "./objects.gen.ts"

export interface BootstrapOptions {
  readonly env: Env
  /** Acts as an administrator. */
  readonly client: Client
  readonly reader: ObjectReader
  /** Served kinds; objects of others are left out. */
  readonly kinds: readonly Kind[]
  /** The first address of each is the `kubernetes` Service's. */
  readonly serviceCIDRs: readonly string[]
  /** Where clients reach the servers; without addresses the Service has no endpoints. */
  readonly advertise?: { readonly addresses: readonly string[]; readonly port: number } | undefined
  readonly clientCA?: string | undefined
  readonly requestHeader?: RequestHeaderOptions | undefined
  readonly signal: AbortSignal
}

const autoupdate = "rbac.authorization.kubernetes.io/autoupdate"

/** Resolves when everything is there. Runs on every start; costs nothing when nothing is missing. */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const { kinds } = options
  const served = (kind: Kind): boolean => kinds.some((one) => sameKind(one, kind))
  const ensureAll = (kind: Kind): Promise<unknown> =>
    served(kind)
      ? Promise.all(objectsOf(kind.plural, kind).map((object) => ensure(options, kind, object)))
      : Promise.resolve()
  if (served(namespace))
    await Promise.all(objectsOf("namespaces", namespace).map((one) => ensure(options, namespace, bare(one))))
  await Promise.all([
    ensureAll(clusterRole),
    ensureAll(role),
    ensureAll(clusterRoleBinding),
    ensureAll(roleBinding),
    ensureAll(priorityClass),
    ensureFlowSchemas(options),
    ensureAll(priorityLevelConfiguration),
    served(serviceCIDR) ? ensureServiceCIDR(options) : undefined,
    served(configMap) ? publishAuthentication(options) : undefined,
    served(configMap) ? ensureTokenTracking(options) : undefined,
  ])
  if (served(service)) await ensureKubernetesService(options)
}

/** A namespace as it is asked for: its finalizer and its phase come by themselves. */
function bare({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata }
}

/** The objects of a resource that every cluster begins with. */
export function objectsOf(resource: string, kind: Kind): KubeObject[] {
  const text = bootstrapText[resource]
  if (!text) return []
  return text
    .split("\n")
    .map(
      (line) =>
        ({ apiVersion: kind.apiVersion, kind: kind.kind, ...(JSON.parse(line) as object) }) as KubeObject,
    )
}

/** What every node may, for the Node authorizer. Mirrors: plugin/pkg/auth/authorizer/rbac/bootstrappolicy NodeRules */
export function nodeRules(): readonly PolicyRule[] {
  const roles = objectsOf("clusterroles", clusterRole) as readonly ClusterRole[]
  return roles.find(({ metadata }) => metadata.name === "system:node")?.rules ?? []
}

/** Of the groups of `kinds`. */
export function builtInApiServices(kinds: readonly Kind[]): readonly APIService[] {
  const served = new Set(kinds.map((kind) => `${kind.version}.${kind.group}`))
  return (objectsOf("apiservices", apiService) as unknown as readonly APIService[]).filter(({ metadata }) =>
    served.has(metadata.name),
  )
}

async function ensure(options: BootstrapOptions, kind: Kind, wanted: KubeObject): Promise<void> {
  const { reader, client, signal } = options
  const ref = { namespace: wanted.metadata.namespace, name: wanted.metadata.name }
  for (let attempt = 0; attempt < 5; attempt++) {
    const present = reader.get(kind, ref)
    try {
      if (!present) {
        await client.create(kind, wanted, { signal, ...managerOf(kind) })
        return
      }
      const repaired = repair(kind, present, wanted)
      if (!repaired) return
      await client.update(kind, repaired, { signal })
      return
    } catch (thrown) {
      // Another server of the same cluster is doing the same.
      if (isAlreadyExists(thrown)) {
        if (!present) return
      } else if (!isConflict(thrown)) throw thrown
    }
  }
}

/** Fairness tells its objects' parts apart from what others of the server write. */
function managerOf(kind: Kind): { readonly fieldManager?: string } {
  return sameResource(kind, flowSchema) || sameResource(kind, priorityLevelConfiguration)
    ? { fieldManager: "api-priority-and-fairness-config-producer-v1" }
    : {}
}

const roleKinds: readonly Kind[] = [clusterRole, role, clusterRoleBinding, roleBinding]

/** The object with what it lacks; undefined when it lacks nothing or is not ours to change. */
function repair(kind: Kind, present: Readonly<KubeObject>, wanted: KubeObject): KubeObject | undefined {
  if (!roleKinds.some((one) => sameResource(kind, one))) return undefined
  if (present.metadata.annotations?.[autoupdate] === "false") return undefined
  const next = deepClone(present) as KubeObject & {
    rules?: PolicyRule[]
    subjects?: Subject[]
    aggregationRule?: unknown
  }
  const goal = wanted as typeof next
  let changed = false
  for (const part of ["labels", "annotations"] as const) {
    for (const key in wanted.metadata[part]) {
      if (next.metadata[part]?.[key] !== undefined) continue
      next.metadata[part] = { ...next.metadata[part], [key]: wanted.metadata[part][key]! }
      changed = true
    }
  }
  if (sameResource(kind, clusterRole) || sameResource(kind, role)) {
    if (goal.aggregationRule) {
      if (!next.aggregationRule) {
        next.aggregationRule = goal.aggregationRule
        changed = true
      }
      return changed ? next : undefined
    }
    const lacking = uncoveredRules(next.rules ?? [], goal.rules ?? [])
    if (lacking.length > 0) {
      next.rules = [...(next.rules ?? []), ...lacking]
      changed = true
    }
  } else {
    const same = (a: Subject, b: Subject): boolean =>
      a.kind === b.kind && a.name === b.name && (a.namespace ?? "") === (b.namespace ?? "")
    const lacking = (goal.subjects ?? []).filter((s) => !(next.subjects ?? []).some((own) => same(own, s)))
    if (lacking.length > 0) {
      next.subjects = [...(next.subjects ?? []), ...lacking]
      changed = true
    }
  }
  return changed ? next : undefined
}

async function ensureFlowSchemas(options: BootstrapOptions): Promise<void> {
  if (!options.kinds.includes(flowSchema)) return
  const { reader, client, signal } = options
  await Promise.all(
    objectsOf("flowschemas", flowSchema).map(async (object) => {
      const ref = { name: object.metadata.name }
      if (reader.get(flowSchema, ref)) return
      await ensure(options, flowSchema, object)
      const level = (object as flowcontrolV1.FlowSchema).spec?.priorityLevelConfiguration.name ?? ""
      const condition = {
        type: "Dangling",
        status: "False",
        lastTransitionTime: formatTime(options.env.clock.now()),
        reason: "Found",
        message: `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)} and it exists`,
      }
      const { apiVersion, kind } = object
      await client.patch(
        flowSchema,
        ref,
        "apply",
        { apiVersion, kind, metadata: ref, status: { conditions: [condition] } },
        {
          subresource: "status",
          fieldManager: "api-priority-and-fairness-config-consumer-v1",
          force: true,
          signal,
        },
      )
    }),
  )
}

async function ensureServiceCIDR(options: BootstrapOptions): Promise<void> {
  const ref = { name: "kubernetes" }
  if (options.reader.get(serviceCIDR, ref)) return
  const object: Creatable<ServiceCIDRObject> = {
    apiVersion: serviceCIDR.apiVersion,
    kind: "ServiceCIDR",
    metadata: { name: "kubernetes", finalizers: ["networking.k8s.io/service-cidr-finalizer"] },
    spec: { cidrs: [...options.serviceCIDRs] },
  }
  await ensure(options, serviceCIDR, object as KubeObject)
  const next = deepClone(await options.client.get(serviceCIDR, ref, { signal: options.signal }))
  next.status = {
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "",
        message: "Kubernetes default Service CIDR is ready",
        lastTransitionTime: formatTime(options.env.clock.now()),
      },
    ],
  }
  await options.client.update(serviceCIDR, next, { subresource: "status", signal: options.signal })
}

type ServiceCIDRObject = KubeObject & { spec: { cidrs: string[] } }

async function publishAuthentication(options: BootstrapOptions): Promise<void> {
  const data: Record<string, string> = {}
  if (options.clientCA !== undefined) data["client-ca-file"] = options.clientCA
  if (options.requestHeader) {
    const names = requestHeaderNames(options.requestHeader)
    data["requestheader-allowed-names"] = JSON.stringify(options.requestHeader.allowedNames)
    data["requestheader-client-ca-file"] = options.requestHeader.clientCA
    data["requestheader-extra-headers-prefix"] = JSON.stringify(names.extraPrefix)
    data["requestheader-group-headers"] = JSON.stringify(names.group)
    data["requestheader-username-headers"] = JSON.stringify(names.username)
    data["requestheader-uid-headers"] = JSON.stringify(names.uid)
  }
  if (Object.keys(data).length === 0) return
  const ref = { namespace: "kube-system", name: "extension-apiserver-authentication" }
  const { client, reader, signal } = options
  const present = reader.get(configMap, ref)
  if (!present) {
    await ensure(options, configMap, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: ref,
      data,
    } as unknown as KubeObject)
  } else if (Object.keys(data).some((key) => present.data?.[key] !== data[key])) {
    await client.update(configMap, { ...deepClone(present), data: { ...present.data, ...data } }, { signal })
  }
}

/**
 * Since which day the uses of tokens in secrets are noted: a token that was never used since is known to be unused.
 * Mirrors: pkg/controlplane/controller/legacytokentracking
 */
async function ensureTokenTracking(options: BootstrapOptions): Promise<void> {
  const { client, env, reader, signal } = options
  const ref = { namespace: "kube-system", name: "kube-apiserver-legacy-service-account-token-tracking" }
  const data = { since: formatTime(env.clock.now()).slice(0, 10) }
  const present = reader.get(configMap, ref)
  if (!present) {
    const made = { apiVersion: "v1", kind: "ConfigMap", metadata: ref, data }
    await ensure(options, configMap, made as unknown as KubeObject)
  } else if (Number.isNaN(parseTime(`${present.data?.since}T00:00:00Z`)))
    await client.update(configMap, { ...deepClone(present), data: { ...present.data, ...data } }, { signal })
}

/** The Service that pods find the API under, and who is behind it. */
async function ensureKubernetesService(options: BootstrapOptions): Promise<void> {
  const { reader, advertise } = options
  const ref = { namespace: "default", name: "kubernetes" }
  const port = advertise?.port ?? 6443
  if (!reader.get(service, ref)) {
    const ips = options.serviceCIDRs.map(firstAddress)
    await ensure(options, service, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...ref, labels: { component: "apiserver", provider: "kubernetes" } },
      spec: {
        clusterIP: ips[0],
        clusterIPs: ips.slice(0, 1),
        ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }],
        sessionAffinity: "None",
        type: "ClusterIP",
        ipFamilyPolicy: "SingleStack",
      },
    } as unknown as KubeObject)
  }
  if (advertise && advertise.addresses.length > 0)
    await ensureKubernetesEndpoints(options, advertise.addresses, advertise.port)
}

/** The first usable address of a range: `10.96.0.1` of `10.96.0.0/16`. */
function firstAddress(cidr: string): string {
  const base = cidr.slice(0, cidr.indexOf("/"))
  if (base.includes(":"))
    return base.endsWith("::")
      ? `${base}1`
      : base.replace(/[^:]*$/, (last) => (parseInt(last || "0", 16) + 1).toString(16))
  const parts = base.split(".").map(Number)
  parts[3]!++
  return parts.join(".")
}
