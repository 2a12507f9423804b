/**
 * Where a service of the cluster is reached from the API server.
 * Mirrors: apiserver pkg/util/proxy ResolveCluster, ResolveEndpoint; kube-aggregator pkg/apiserver/resolvers.go
 */
import { endpointSlice, service } from "@knarr/api"
import type { EndpointSlice, Service, ServicePort } from "@knarr/api"
import { notFound, serviceUnavailable } from "@knarr/apimachinery"
import { randomInt, type Random } from "@knarr/base"
import type { AdmissionDeps } from "../contract.ts"

export interface Place {
  readonly host: string
  readonly port: number
}

/** `clusterIP`: as any client of the cluster, through this machine's service proxy. `endpoints`: straight to a pod. */
export type ServiceRouting = "clusterIP" | "endpoints"

/** Finds a service's place anew with each call. Throws StatusErrors and Errors in upstream's words. */
export type ServiceResolver = (namespace: string, name: string, port: number) => Place

/** A resolver that reads the watch caches. */
export function createServiceResolver(
  reader: Pick<AdmissionDeps, "get" | "list">,
  random: Random,
  routing: ServiceRouting,
): ServiceResolver {
  return (namespace, name, port) => {
    const found = reader.get(service, { namespace, name })
    if (!found) throw notFound({ group: "", resource: "services" }, name)
    return routing === "clusterIP"
      ? clusterPlace(found, port)
      : endpointPlace(found, reader.list(endpointSlice, namespace), port, random)
  }
}

const typesWithAddress: ReadonlySet<string> = new Set(["ClusterIP", "NodePort", "LoadBalancer"])

function clusterPlace(found: Readonly<Service>, port: number): Place {
  const { type = "ClusterIP", clusterIP = "", externalName = "" } = found.spec
  if (type === "ClusterIP" && clusterIP === "None")
    throw new Error('cannot route to service with ClusterIP "None"')
  if (type === "ExternalName") return { host: externalName, port }
  if (!typesWithAddress.has(type)) throw new Error(`unsupported service type ${JSON.stringify(type)}`)
  return { host: clusterIP, port: portOf(found, port).port }
}

function endpointPlace(
  found: Readonly<Service>,
  slices: readonly Readonly<EndpointSlice>[],
  port: number,
  random: Random,
): Place {
  const { type = "ClusterIP", ipFamilies } = found.spec
  if (!typesWithAddress.has(type)) throw new Error(`unsupported service type ${JSON.stringify(type)}`)
  const { name: portName = "" } = portOf(found, port)
  const places: Place[] = []
  const preferred: Place[] = []
  for (const slice of slices) {
    if (slice.metadata.labels?.["kubernetes.io/service-name"] !== found.metadata.name) continue
    const target = slice.ports?.find((one) => (one.name ?? "") === portName)?.port
    if (target === undefined) continue
    const into = slice.addressType === ipFamilies?.[0] ? preferred : places
    for (const { conditions, addresses } of slice.endpoints ?? [])
      if (conditions?.ready !== false && addresses[0]) into.push({ host: addresses[0], port: target })
  }
  const candidates = preferred.length > 0 ? preferred : places
  if (candidates.length === 0)
    throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(found.metadata.name)}`)
  return candidates[randomInt(random, candidates.length)]!
}

function portOf(found: Readonly<Service>, port: number): ServicePort {
  const match = found.spec.ports?.find((one) => one.port === port)
  if (match) return match
  throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(found.metadata.name)}`)
}
