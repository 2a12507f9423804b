/**
 * Cluster IPs and node ports of Services: given before validation, kept when the write succeeds, given back
 * when it fails or the Service goes. Rebuilt from the cache at start.
 * Mirrors: pkg/registry/core/service/storage/{storage,alloc,transaction}.go
 */
import { field, internalError, invalid, type FieldError, type KubeObject } from "@knarr/apimachinery"
import type { Service, ServiceSpec } from "@knarr/api"
import type { Random } from "@knarr/base"
import type { ResourceStorage } from "../storage.ts"
import type { Allocation, WriteHooks } from "../write-hooks.ts"
import { IpAllocator } from "./ip-allocator.ts"
import { PortAllocator } from "./port-allocator.ts"
import {
  dropLoadBalancerFields,
  normalizeClusterIPs,
  patchAllocatedValues,
  setIPFamilies,
} from "./service-fields.ts"

export interface ServiceNetwork {
  /** One network, or one of each family, the first being the default. Default: `10.96.0.0/12`. */
  readonly cidrs?: readonly string[]
  /** Default: 30000 to 32767. */
  readonly nodePorts?: { readonly first: number; readonly last: number }
}

const defaultServiceCidr = "10.96.0.0/12"

export function createServiceHooks(
  storage: ResourceStorage,
  network: ServiceNetwork,
  random: Random,
): WriteHooks {
  return new ServiceHooks(storage, network, random)
}

/** What one write took and will give back; undone or done as a whole. */
class Transaction implements Allocation {
  readonly #undo: (() => void)[] = []
  readonly #release: (() => void)[] = []
  #over = false

  /** `undo` gives back what was taken just now. */
  took(undo: () => void): void {
    this.#undo.push(undo)
  }

  /** `release` gives back, once the write is done, what the object had before. */
  releases(release: () => void): void {
    this.#release.push(release)
  }

  commit(): void {
    if (this.#over) return
    this.#over = true
    for (const release of this.#release) release()
  }

  revert(): void {
    if (this.#over) return
    this.#over = true
    for (const undo of this.#undo.reverse()) undo()
  }
}

class ServiceHooks implements WriteHooks {
  readonly #random: Random
  readonly #ips: readonly IpAllocator[]
  readonly #ports: PortAllocator

  constructor(storage: ResourceStorage, network: ServiceNetwork, random: Random) {
    this.#random = random
    this.#ips = (network.cidrs ?? [defaultServiceCidr]).map((cidr) => new IpAllocator(cidr))
    this.#ports = new PortAllocator(network.nodePorts?.first ?? 30000, network.nodePorts?.last ?? 32767)
    for (const object of storage.cache.values()) {
      const { spec } = object.value as Service
      for (const ip of allocatedIPs(spec)) this.#allocatorOf(ip)?.take(ip)
      for (const port of nodePortsOf(spec)) this.#ports.take(port)
    }
  }

  beginCreate(obj: KubeObject, dryRun: boolean): Allocation {
    const service = obj as unknown as Service
    normalizeClusterIPs(service, undefined)
    const transaction = new Transaction()
    return this.#guarded(transaction, () => {
      setIPFamilies(service, undefined, this.#families())
      if (needsClusterIP(service.spec)) this.#takeIPs(service, transaction, dryRun)
      this.#takePorts(service, undefined, transaction)
      this.#takeHealthCheckPort(service, undefined, transaction)
    })
  }

  beginUpdate(obj: KubeObject, oldObj: Readonly<KubeObject>, dryRun: boolean): Allocation {
    const service = obj as unknown as Service
    const old = oldObj as unknown as Service
    patchAllocatedValues(service, old)
    dropLoadBalancerFields(service, old)
    normalizeClusterIPs(service, old)
    const transaction = new Transaction()
    return this.#guarded(transaction, () => {
      setIPFamilies(service, old, this.#families())
      const before = needsClusterIP(old.spec)
      const after = needsClusterIP(service.spec)
      if (!before && after) this.#takeIPs(service, transaction, dryRun)
      else if (before && !after) {
        for (const ip of allocatedIPs(old.spec))
          transaction.releases(() => this.#allocatorOf(ip)?.release(ip))
      } else if (before && after) this.#changeIPs(service, old, transaction, dryRun)
      this.#takePorts(service, old, transaction)
      this.#takeHealthCheckPort(service, old, transaction)
    })
  }

  afterDelete(obj: Readonly<KubeObject>): void {
    const { spec } = obj as unknown as Service
    for (const ip of allocatedIPs(spec)) this.#allocatorOf(ip)?.release(ip)
    for (const port of nodePortsOf(spec)) this.#ports.release(port)
  }

  #guarded(transaction: Transaction, take: () => void): Transaction {
    try {
      take()
    } catch (thrown) {
      transaction.revert()
      throw thrown
    }
    return transaction
  }

  #families(): readonly ("IPv4" | "IPv6")[] {
    return this.#ips.map((allocator) => allocator.family)
  }

  #allocatorOf(ip: string): IpAllocator | undefined {
    const family = ip.includes(":") ? "IPv6" : "IPv4"
    return this.#ips.find((allocator) => allocator.family === family)
  }

  #takeIPs(service: Service, transaction: Transaction, dryRun: boolean): void {
    const { spec } = service
    const wanted = spec.clusterIPs ?? []
    const out: string[] = []
    for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
      const allocator = this.#ips.find((candidate) => candidate.family === family)
      if (!allocator) {
        throw fail(service, field.invalid("spec.ipFamilies", spec.ipFamilies, "no allocator for this family"))
      }
      out.push(this.#takeOne(service, allocator, wanted[i], transaction, dryRun))
    }
    spec.clusterIPs = out
    if (out[0] !== undefined) spec.clusterIP = out[0]
  }

  #takeOne(
    service: Service,
    allocator: IpAllocator,
    wanted: string | undefined,
    transaction: Transaction,
    dryRun: boolean,
  ): string {
    if (wanted) {
      const why = allocator.take(wanted)
      if (why !== "") {
        const detail = `failed to allocate IP ${wanted}: ${why}`
        throw fail(service, field.invalid("spec.clusterIPs", service.spec.clusterIPs, detail))
      }
      transaction.took(() => allocator.release(wanted))
      return wanted
    }
    const ip = allocator.takeNext(this.#random, dryRun)
    if (ip === undefined) throw internalError("failed to allocate a serviceIP: range is full")
    transaction.took(() => allocator.release(ip))
    return ip
  }

  /** A second family may come or go. */
  #changeIPs(service: Service, old: Service, transaction: Transaction, dryRun: boolean): void {
    const { spec } = service
    const before = old.spec.clusterIPs ?? []
    const families = spec.ipFamilies ?? []
    const ips = spec.clusterIPs ?? []
    if (families.length < before.length) {
      spec.clusterIPs = ips.slice(0, families.length)
      for (const ip of before.slice(families.length)) {
        transaction.releases(() => this.#allocatorOf(ip)?.release(ip))
      }
    } else if (families.length > before.length && before.length === 1) {
      const allocator = this.#ips.find((candidate) => candidate.family === families[1])
      if (!allocator) return
      const second = this.#takeOne(service, allocator, ips[1], transaction, dryRun)
      spec.clusterIPs = [before[0]!, second]
    }
  }

  #takePorts(service: Service, old: Service | undefined, transaction: Transaction): void {
    const { spec } = service
    const had = new Set(old ? portsOf(old.spec) : [])
    if (!hasNodePorts(spec)) {
      for (const port of had) transaction.releases(() => this.#ports.release(port))
      return
    }
    const allocate = spec.type !== "LoadBalancer" || spec.allocateLoadBalancerNodePorts !== false
    /** A number is taken once for all protocols. */
    const taken = new Map<number, Set<string>>()
    for (const [i, port] of (spec.ports ?? []).entries()) {
      const protocol = port.protocol ?? "TCP"
      if (port.nodePort) {
        const others = taken.get(port.nodePort)
        if (!had.has(port.nodePort) && !others)
          this.#takePort(service, `spec.ports[${i}].nodePort`, port.nodePort, transaction)
        if (others) others.add(protocol)
        else taken.set(port.nodePort, new Set([protocol]))
      }
    }
    for (const port of spec.ports ?? []) {
      if (port.nodePort || !allocate) continue
      const protocol = port.protocol ?? "TCP"
      // DNS on TCP and UDP: the same service port gets the same node port.
      const shared = spec.ports!.find(
        (other) => other.nodePort && other.port === port.port && !taken.get(other.nodePort)!.has(protocol),
      )
      const number = shared?.nodePort ?? this.#nextPort(transaction)
      port.nodePort = number
      const protocols = taken.get(number)
      if (protocols) protocols.add(protocol)
      else taken.set(number, new Set([protocol]))
    }
    for (const port of had) if (!taken.has(port)) transaction.releases(() => this.#ports.release(port))
  }

  #takePort(service: Service, path: string, port: number, transaction: Transaction): void {
    const why = this.#ports.take(port)
    if (why !== "") throw fail(service, field.invalid(path, port, why))
    transaction.took(() => this.#ports.release(port))
  }

  #nextPort(transaction: Transaction): number {
    const port = this.#ports.takeNext(this.#random)
    if (port === undefined) throw internalError("failed to allocate a nodePort: range is full")
    transaction.took(() => this.#ports.release(port))
    return port
  }

  #takeHealthCheckPort(service: Service, old: Service | undefined, transaction: Transaction): void {
    const { spec } = service
    const before = old && needsHealthCheckPort(old.spec) ? old.spec.healthCheckNodePort : undefined
    if (!needsHealthCheckPort(spec)) {
      if (before) {
        transaction.releases(() => this.#ports.release(before))
        if (spec.healthCheckNodePort === before) delete spec.healthCheckNodePort
      }
      return
    }
    if (before) return
    if (spec.healthCheckNodePort) {
      const why = this.#ports.take(spec.healthCheckNodePort)
      const port = spec.healthCheckNodePort
      if (why !== "") {
        throw internalError(`failed to allocate requested HealthCheck NodePort ${port}: ${why}`)
      }
      transaction.took(() => this.#ports.release(port))
    } else spec.healthCheckNodePort = this.#nextPort(transaction)
  }
}

function fail(service: Service, error: FieldError): Error {
  return invalid({ group: "", kind: "Service" }, service.metadata.name, [error])
}

function needsClusterIP(spec: Readonly<ServiceSpec>): boolean {
  return spec.type !== "ExternalName" && spec.clusterIP !== "None" && spec.clusterIPs?.[0] !== "None"
}

function hasNodePorts(spec: Readonly<ServiceSpec>): boolean {
  return spec.type === "NodePort" || spec.type === "LoadBalancer"
}

function needsHealthCheckPort(spec: Readonly<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local"
}

/** The addresses that the Service has of the service networks. */
export function allocatedIPs(spec: Readonly<ServiceSpec> | undefined): string[] {
  if (!spec || !needsClusterIP(spec)) return []
  return (spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : []).filter(
    (ip) => ip !== "" && ip !== "None",
  )
}

function portsOf(spec: Readonly<ServiceSpec>): number[] {
  if (!hasNodePorts(spec)) return []
  return [...new Set((spec.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port > 0))]
}

function nodePortsOf(spec: Readonly<ServiceSpec> | undefined): number[] {
  if (!spec) return []
  const out = portsOf(spec)
  if (needsHealthCheckPort(spec) && spec.healthCheckNodePort) out.push(spec.healthCheckNodePort)
  return out
}
