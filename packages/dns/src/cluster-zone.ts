/**
 * Answers questions about the cluster's names from Services and EndpointSlices. Pure but for reading the
 * informers. Mirrors: kubernetes/dns docs/specification.md (schema 1.1.0), coredns plugin/kubernetes
 */
import { isIPv6 } from "node:net"
import type { EndpointSlice, Service } from "@knarr/api"
import type { Informer } from "@knarr/client"

export type RecordType = "A" | "AAAA" | "SRV" | "CNAME" | "PTR" | "TXT" | "SOA" | "NS"

export interface ZoneRecord {
  readonly name: string
  readonly type: RecordType
  readonly ttl: number
  readonly data: unknown
}

export interface ZoneAnswer {
  /** False: the name does not exist (NXDOMAIN). True with no records: it has none of this type. */
  readonly exists: boolean
  readonly answers: readonly ZoneRecord[]
  readonly additionals?: readonly ZoneRecord[]
  /** An ExternalName's target, which the server looks up and adds. */
  readonly follow?: string
}

export interface ClusterZoneOptions {
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
  /** For example `cluster.local`. */
  readonly domain: string
}

const ttl = 30
const sliceIndex = "dnsService"
const addressIndex = "dnsAddress"
const notFound: ZoneAnswer = { exists: false, answers: [] }
const noData: ZoneAnswer = { exists: true, answers: [] }

interface Endpoint {
  readonly address: string
  readonly hostname: string
  readonly ready: boolean
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
}

export class ClusterZone {
  readonly #services: Informer<Service>
  readonly #slices: Informer<EndpointSlice>
  readonly domain: string

  constructor(options: ClusterZoneOptions) {
    this.#services = options.services
    this.#slices = options.slices
    this.domain = options.domain
    this.#slices.addIndex(sliceIndex, (slice) => {
      const service = slice.metadata.labels?.["kubernetes.io/service-name"]
      return service ? [`${slice.metadata.namespace}/${service}`] : []
    })
    this.#slices.addIndex(addressIndex, (slice) =>
      (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []),
    )
    this.#services.addIndex(addressIndex, (service) => service.spec.clusterIPs ?? [])
  }

  /** Undefined when the name is not in the zone: ask the world. Names are lower case, without the last dot. */
  answer(name: string, type: string): ZoneAnswer | undefined {
    const reverse = addressOfReverseName(name)
    if (reverse !== undefined) return this.#reverse(name, reverse, type)
    if (name !== this.domain && !name.endsWith(`.${this.domain}`)) return undefined
    const labels = name === this.domain ? [] : name.slice(0, -this.domain.length - 1).split(".")
    if (labels.length === 0) {
      return type === "SOA" ? { exists: true, answers: [this.soa()] } : noData
    }
    if (labels.length === 1 && labels[0] === "dns-version") {
      return type === "TXT" ? { exists: true, answers: [record(name, "TXT", "1.1.0")] } : noData
    }
    const kind = labels.pop()
    if (kind === "pod") return this.#pod(name, labels, type)
    return kind === "svc" ? this.#service(name, labels, type) : notFound
  }

  /** The zone's start of authority, for negative answers. */
  soa(): ZoneRecord {
    const data = {
      mname: `ns.dns.${this.domain}`,
      rname: `hostmaster.${this.domain}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: ttl,
    }
    return { name: this.domain, type: "SOA", ttl, data }
  }

  /** `1-2-3-4.<ns>.pod`: the address is in the name. */
  #pod(name: string, labels: readonly string[], type: string): ZoneAnswer {
    const [dashed, namespace] = labels
    if (labels.length < 2) return labels.length === 0 || this.#namespaceExists(dashed!) ? noData : notFound
    if (labels.length > 2 || !this.#namespaceExists(namespace!)) return notFound
    const v4 = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(dashed!)
    if (v4 && v4.slice(1).every((part) => Number(part) <= 255)) {
      return type === "A" ? { exists: true, answers: [record(name, "A", v4.slice(1).join("."))] } : noData
    }
    const v6 = dashed!.replaceAll("-", ":")
    if (!isIPv6(v6)) return notFound
    return type === "AAAA" ? { exists: true, answers: [record(name, "AAAA", v6)] } : noData
  }

  /** `<service>.<ns>`, `<host>.<service>.<ns>`, `_port._proto.<service>.<ns>`. */
  #service(name: string, labels: string[], type: string): ZoneAnswer {
    const namespace = labels.pop()
    const serviceName = labels.pop()
    if (namespace === undefined || serviceName === undefined) {
      return namespace === undefined || this.#namespaceExists(namespace) ? noData : notFound
    }
    const service = this.#services.get({ namespace, name: serviceName })
    if (!service) return notFound
    const base = `${serviceName}.${namespace}.svc.${this.domain}`
    if (service.spec.type === "ExternalName") {
      if (labels.length > 0) return notFound
      const target = (service.spec.externalName ?? "").toLowerCase().replace(/\.$/, "")
      if (target === "") return notFound
      const wantsAddress = type === "A" || type === "AAAA" || type === "CNAME"
      return wantsAddress
        ? { exists: true, answers: [record(name, "CNAME", target)], follow: target }
        : noData
    }
    if (service.spec.clusterIP === "None") return this.#headless(name, base, service, labels, type)
    const addresses = service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : [])
    if (labels.length === 0) {
      if (type === "SRV") {
        const targets = (service.spec.ports ?? []).map((port) => ({ port: port.port, host: base, addresses }))
        return srvAnswer(name, targets)
      }
      return addressAnswer(name, type, addresses)
    }
    const srv = srvLabels(labels)
    if (!srv) return notFound
    const ports = (service.spec.ports ?? []).filter(
      (port) => port.name === srv.port && (port.protocol ?? "TCP").toLowerCase() === srv.protocol,
    )
    if (ports.length === 0) return notFound
    if (type !== "SRV") return noData
    return srvAnswer(
      name,
      ports.map((port) => ({ port: port.port, host: base, addresses })),
    )
  }

  #headless(name: string, base: string, service: Service, labels: string[], type: string): ZoneAnswer {
    const publish = service.spec.publishNotReadyAddresses === true
    const endpoints = this.#endpoints(service).filter((endpoint) => endpoint.ready || publish)
    const srv = srvLabels(labels)
    if (labels.length === 0) {
      if (endpoints.length === 0) return notFound
      if (type === "SRV")
        return srvAnswer(
          name,
          endpoints.flatMap((endpoint) => targetsOf(endpoint, base, () => true)),
        )
      return addressAnswer(name, type, unique(endpoints.map((endpoint) => endpoint.address)))
    }
    if (srv) {
      const targets = endpoints.flatMap((endpoint) =>
        targetsOf(
          endpoint,
          base,
          (port) => port.name === srv.port && port.protocol.toLowerCase() === srv.protocol,
        ),
      )
      if (targets.length === 0) return notFound
      return type === "SRV" ? srvAnswer(name, targets) : noData
    }
    if (labels.length > 1) return notFound
    const matching = endpoints.filter((endpoint) => hostOf(endpoint) === labels[0])
    return matching.length === 0
      ? notFound
      : addressAnswer(name, type, unique(matching.map((endpoint) => endpoint.address)))
  }

  #endpoints(service: Service): Endpoint[] {
    const key = `${service.metadata.namespace}/${service.metadata.name}`
    return this.#slices.byIndex(sliceIndex, key).flatMap((slice) => {
      const ports = (slice.ports ?? []).map((port) => ({
        name: port.name ?? "",
        protocol: port.protocol ?? "TCP",
        port: port.port ?? 0,
      }))
      return (slice.endpoints ?? []).flatMap((endpoint) =>
        (endpoint.addresses ?? []).map((address) => ({
          address,
          hostname: endpoint.hostname ?? "",
          ready: endpoint.conditions?.ready !== false,
          ports,
        })),
      )
    })
  }

  #reverse(name: string, address: string, type: string): ZoneAnswer | undefined {
    const names: string[] = []
    for (const service of this.#services.byIndex(addressIndex, address)) {
      names.push(`${service.metadata.name}.${service.metadata.namespace}.svc.${this.domain}`)
    }
    for (const slice of this.#slices.byIndex(addressIndex, address)) {
      const serviceName = slice.metadata.labels?.["kubernetes.io/service-name"]
      const service = serviceName
        ? this.#services.get({ namespace: slice.metadata.namespace, name: serviceName })
        : undefined
      if (service?.spec.clusterIP !== "None") continue
      for (const endpoint of this.#endpoints(service)) {
        if (endpoint.address !== address) continue
        names.push(`${hostOf(endpoint)}.${serviceName}.${service.metadata.namespace}.svc.${this.domain}`)
      }
    }
    if (names.length === 0) return undefined
    return type === "PTR"
      ? { exists: true, answers: unique(names).map((target) => record(name, "PTR", target)) }
      : noData
  }

  #namespaceExists(namespace: string): boolean {
    return this.#services.list(namespace).length > 0 || namespace === "default" || namespace === "kube-system"
  }
}

interface SrvTarget {
  readonly port: number
  readonly host: string
  readonly addresses: readonly string[]
}

function targetsOf(
  endpoint: Endpoint,
  base: string,
  matches: (port: Endpoint["ports"][number]) => boolean,
): SrvTarget[] {
  return endpoint.ports
    .filter(matches)
    .map((port) => ({ port: port.port, host: `${hostOf(endpoint)}.${base}`, addresses: [endpoint.address] }))
}

/** An endpoint without a hostname is known by its address with dashes. */
function hostOf(endpoint: Endpoint): string {
  return endpoint.hostname || endpoint.address.replace(/[.:]/g, "-")
}

function srvLabels(labels: readonly string[]): { port: string; protocol: string } | undefined {
  const [port, protocol] = labels
  if (labels.length !== 2 || !port!.startsWith("_") || !protocol!.startsWith("_")) return undefined
  return { port: port!.slice(1), protocol: protocol!.slice(1) }
}

function srvAnswer(name: string, targets: readonly SrvTarget[]): ZoneAnswer {
  const weight = Math.max(1, Math.floor(100 / Math.max(targets.length, 1)))
  const answers = targets.map(({ port, host }) =>
    record(name, "SRV", { priority: 0, weight, port, target: host }),
  )
  const additionals = new Map<string, ZoneRecord>()
  for (const { host, addresses } of targets) {
    for (const address of addresses)
      additionals.set(`${host} ${address}`, record(host, familyOf(address), address))
  }
  return { exists: true, answers, additionals: [...additionals.values()] }
}

function addressAnswer(name: string, type: string, addresses: readonly string[]): ZoneAnswer {
  const answers = addresses
    .filter((address) => familyOf(address) === type)
    .map((address) => record(name, familyOf(address), address))
  return { exists: true, answers }
}

function familyOf(address: string): "A" | "AAAA" {
  return address.includes(":") ? "AAAA" : "A"
}

function record(name: string, type: RecordType, data: unknown): ZoneRecord {
  return { name, type, ttl, data }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

/** `4.3.2.1.in-addr.arpa` → `1.2.3.4`; undefined for other names. */
function addressOfReverseName(name: string): string | undefined {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name)
  return v4 ? `${v4[4]}.${v4[3]}.${v4[2]}.${v4[1]}` : undefined
}
