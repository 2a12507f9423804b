/**
 * Which node ports a Service is to have: those that it asks for, and any for the rest. Decides; takes nothing.
 * Mirrors: pkg/registry/core/service/storage/alloc.go (ports)
 */
import type { Service, ServiceSpec } from "@knarr/api"
import { field, internalError, invalid, type FieldError } from "@knarr/apimachinery"
import type { Random } from "@knarr/base"
import { choosePort } from "./port-allocator.ts"
import type { PortRange } from "./port-range.ts"

export class PortPlan {
  /** Ports that the Service did not have before. */
  readonly taken: number[] = []
  readonly #service: Service
  readonly #old: Readonly<Service> | undefined
  readonly #range: PortRange
  readonly #random: Random
  readonly #dryRun: boolean

  /** A dry run may ask for any port that nobody has, of the range or not. */
  constructor(
    service: Service,
    old: Readonly<Service> | undefined,
    range: PortRange,
    random: Random,
    dryRun: boolean,
  ) {
    this.#service = service
    this.#old = old
    this.#range = range
    this.#random = random
    this.#dryRun = dryRun
  }

  /** Writes the ports into the Service. Returns why they cannot be had. */
  make(): Error | undefined {
    try {
      this.#nodePorts()
      this.#healthCheckPort()
      return undefined
    } catch (thrown) {
      if (thrown instanceof Error) return thrown
      throw thrown
    }
  }

  #nodePorts(): void {
    const service = this.#service
    const { spec } = service
    const had = new Set(this.#old ? portsOf(this.#old.spec) : [])
    if (!hasNodePorts(spec)) return
    const allocate = spec.type !== "LoadBalancer" || spec.allocateLoadBalancerNodePorts !== false
    /** A number is taken once for all protocols. */
    const protocols = new Map<number, Set<string>>()
    for (const [i, port] of (spec.ports ?? []).entries()) {
      const protocol = port.protocol ?? "TCP"
      if (port.nodePort) {
        const others = protocols.get(port.nodePort)
        if (!had.has(port.nodePort) && !others) {
          const why = this.#take(port.nodePort)
          if (why !== "") throw fail(service, field.invalid(`spec.ports[${i}].nodePort`, port.nodePort, why))
        }
        if (others) others.add(protocol)
        else protocols.set(port.nodePort, new Set([protocol]))
      }
    }
    for (const port of spec.ports ?? []) {
      if (port.nodePort || !allocate) continue
      const protocol = port.protocol ?? "TCP"
      // DNS on TCP and UDP: the same service port gets the same node port.
      const shared = spec.ports!.find(
        (other) =>
          other.nodePort && other.port === port.port && !protocols.get(other.nodePort)!.has(protocol),
      )
      const number = shared?.nodePort ?? this.#next()
      port.nodePort = number
      const used = protocols.get(number)
      if (used) used.add(protocol)
      else protocols.set(number, new Set([protocol]))
    }
  }

  #healthCheckPort(): void {
    const { spec } = this.#service
    const old = this.#old
    const before = old && needsHealthCheckPort(old.spec) ? old.spec.healthCheckNodePort : undefined
    if (!needsHealthCheckPort(spec)) {
      if (before && spec.healthCheckNodePort === before) delete spec.healthCheckNodePort
      return
    }
    if (before) return
    const port = spec.healthCheckNodePort
    if (!port) {
      spec.healthCheckNodePort = this.#next()
      return
    }
    const why = this.#take(port)
    if (why !== "") throw internalError(`failed to allocate requested HealthCheck NodePort ${port}: ${why}`)
  }

  #isTaken(port: number): boolean {
    return this.taken.includes(port) || this.#range.isTaken(port)
  }

  /** Returns why the port cannot be had, "" on success. */
  #take(port: number): string {
    const { first, last } = this.#range.span
    if (!this.#dryRun && !this.#range.contains(port))
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
    if (this.#isTaken(port)) return "provided port is already allocated"
    this.taken.push(port)
    return ""
  }

  #next(): number {
    const port = choosePort(this.#range.span, this.#random, (candidate) => this.#isTaken(candidate))
    if (port === undefined) throw internalError("failed to allocate a nodePort: range is full")
    this.taken.push(port)
    return port
  }
}

/** The 422 for one field of a Service. */
export function fail(service: Service, error: FieldError): Error {
  return invalid({ group: "", kind: "Service" }, service.metadata.name, [error])
}

function hasNodePorts(spec: Readonly<ServiceSpec>): boolean {
  return spec.type === "NodePort" || spec.type === "LoadBalancer"
}

function needsHealthCheckPort(spec: Readonly<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local"
}

function portsOf(spec: Readonly<ServiceSpec>): number[] {
  if (!hasNodePorts(spec)) return []
  return [...new Set((spec.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port > 0))]
}

/** Every port that a Service has of the range. */
export function nodePortsOf(spec: Readonly<ServiceSpec> | undefined): number[] {
  if (!spec) return []
  const out = portsOf(spec)
  if (needsHealthCheckPort(spec) && spec.healthCheckNodePort) out.push(spec.healthCheckNodePort)
  return out
}
