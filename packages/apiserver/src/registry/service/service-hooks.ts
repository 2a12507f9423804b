/**
 * Cluster IPs and node ports of Services: given before validation, kept when the write succeeds, given back
 * when it fails or the Service goes. What is given is in the store, so no other server gives it too.
 * Mirrors: pkg/registry/core/service/storage/{storage,alloc,transaction}.go
 */
import { field, internalError, type KubeObject } from "@knarr/apimachinery"
import { inTurn, type Env, type Logger } from "@knarr/base"
import type { Service } from "@knarr/api"
import type { Allocation, WriteHooks } from "../write-hooks.ts"
import { allocatedIPs, keyOf, needsClusterIP, type AddressBook } from "./address-book.ts"
import { fail, nodePortsOf, PortPlan } from "./port-plan.ts"
import type { PortRange } from "./port-range.ts"
import type { ServiceNetworks } from "./service-networks.ts"
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

/** What the hooks share with those who repair. */
export interface ServiceBooks {
  readonly addresses: AddressBook
  readonly ports: PortRange
  readonly networks: ServiceNetworks
}

export function createServiceHooks(env: Env, books: ServiceBooks): WriteHooks {
  return new ServiceHooks(env, books)
}

/** What one write took and will give back; undone or done as a whole. What cannot be given back is told, and repaired later. */
class Transaction implements Allocation {
  readonly #log: Logger
  readonly #undo: Step[] = []
  readonly #settle: Step[] = []
  #over = false

  constructor(log: Logger) {
    this.#log = log
  }

  /** `undo` gives back what was taken just now; `kept` is done once the write is. */
  took(undo: Step, kept?: Step): void {
    this.#undo.unshift(undo)
    if (kept) this.#settle.push(kept)
  }

  /** `release` gives back, once the write is done, what the object had before. */
  releases(release: Step): void {
    this.#settle.push(release)
  }

  commit(): void | Promise<void> {
    return this.#end(this.#settle)
  }

  revert(): void | Promise<void> {
    return this.#end(this.#undo)
  }

  #end(steps: readonly Step[]): void | Promise<void> {
    if (this.#over) return
    this.#over = true
    return inTurn(steps, (step) => {
      const wait = step()
      return wait?.catch((thrown: unknown) =>
        this.#log.error("Cannot give back what a Service had; the repair will", thrown),
      )
    })
  }
}

type Step = () => void | Promise<void>

class ServiceHooks implements WriteHooks {
  readonly #env: Env
  readonly #book: AddressBook
  readonly #networks: ServiceNetworks
  readonly #ports: PortRange

  constructor(env: Env, { addresses, ports, networks }: ServiceBooks) {
    this.#env = env
    this.#book = addresses
    this.#networks = networks
    this.#ports = ports
  }

  async beginCreate(obj: KubeObject, dryRun: boolean): Promise<Allocation> {
    const service = obj as unknown as Service
    normalizeClusterIPs(service, undefined)
    return this.#guarded(async (transaction) => {
      setIPFamilies(service, undefined, this.#networks.families)
      if (needsClusterIP(service.spec)) await this.#takeIPs(service, transaction, dryRun)
      await this.#takePorts(service, undefined, transaction, dryRun)
    })
  }

  async beginUpdate(obj: KubeObject, oldObj: Readonly<KubeObject>, dryRun: boolean): Promise<Allocation> {
    const service = obj as unknown as Service
    const old = oldObj as unknown as Service
    patchAllocatedValues(service, old)
    dropLoadBalancerFields(service, old)
    normalizeClusterIPs(service, old)
    return this.#guarded(async (transaction) => {
      setIPFamilies(service, old, this.#networks.families)
      const before = needsClusterIP(old.spec)
      const after = needsClusterIP(service.spec)
      if (!before && after) await this.#takeIPs(service, transaction, dryRun)
      else if (before && !after) this.#releaseIPs(old, allocatedIPs(old.spec), transaction)
      else if (before && after) await this.#changeIPs(service, old, transaction, dryRun)
      await this.#takePorts(service, old, transaction, dryRun)
    })
  }

  async afterDelete(obj: Readonly<KubeObject>): Promise<void> {
    const service = obj as unknown as Service
    const transaction = new Transaction(this.#env.log)
    this.#releaseIPs(service, allocatedIPs(service.spec), transaction)
    const ports = nodePortsOf(service.spec)
    if (ports.length > 0) transaction.releases(() => this.#ports.release(ports))
    await transaction.commit()
  }

  async #guarded(take: (transaction: Transaction) => Promise<void>): Promise<Transaction> {
    const transaction = new Transaction(this.#env.log)
    try {
      await take(transaction)
    } catch (thrown) {
      await transaction.revert()
      throw thrown
    }
    return transaction
  }

  #releaseIPs(service: Readonly<Service>, ips: readonly string[], transaction: Transaction): void {
    for (const ip of ips) transaction.releases(() => this.#book.release(ip, keyOf(service.metadata)))
  }

  async #takeIPs(service: Service, transaction: Transaction, dryRun: boolean): Promise<void> {
    const { spec } = service
    const wanted = spec.clusterIPs ?? []
    const out: string[] = []
    for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
      if (!this.#networks.families.includes(family as "IPv4" | "IPv6")) {
        throw fail(service, field.invalid("spec.ipFamilies", spec.ipFamilies, "no allocator for this family"))
      }
      out.push(await this.#takeOne(service, family as "IPv4" | "IPv6", wanted[i], transaction, dryRun))
    }
    spec.clusterIPs = out
    if (out[0] !== undefined) spec.clusterIP = out[0]
  }

  async #takeOne(
    service: Service,
    family: "IPv4" | "IPv6",
    wanted: string | undefined,
    transaction: Transaction,
    dryRun: boolean,
  ): Promise<string> {
    const key = keyOf(service.metadata)
    const networks = this.#networks.of(family)
    const take = async (ip: string): Promise<boolean> => {
      if (dryRun) return !this.#book.isTaken(ip)
      if (!(await this.#book.claim(ip, key))) return false
      transaction.took(
        () => this.#book.release(ip, key),
        () => this.#book.settle(ip),
      )
      return true
    }
    if (wanted) {
      const inside = networks.some((network) => network.contains(wanted))
      if (inside && (await take(wanted))) return wanted
      const why = inside
        ? "provided IP is already allocated"
        : "the provided network does not match the current range"
      const detail = `failed to allocate IP ${wanted}: ${why}`
      throw fail(service, field.invalid("spec.clusterIPs", service.spec.clusterIPs, detail))
    }
    const refused = new Set<string>()
    const taken = (ip: string): boolean => this.#book.isTaken(ip) || refused.has(ip)
    for (;;) {
      let ip: string | undefined
      for (const network of networks) if ((ip = network.choose(this.#env.random, taken)) !== undefined) break
      if (ip === undefined) throw internalError("failed to allocate a serviceIP: range is full")
      if (await take(ip)) return ip
      // Another server was first.
      refused.add(ip)
    }
  }

  /** A second family may come or go. */
  async #changeIPs(service: Service, old: Service, transaction: Transaction, dryRun: boolean): Promise<void> {
    const { spec } = service
    const before = old.spec.clusterIPs ?? []
    const families = spec.ipFamilies ?? []
    const ips = spec.clusterIPs ?? []
    if (families.length < before.length) {
      spec.clusterIPs = ips.slice(0, families.length)
      this.#releaseIPs(old, before.slice(families.length), transaction)
    } else if (families.length > before.length && before.length === 1) {
      const family = families[1] as "IPv4" | "IPv6"
      if (!this.#networks.families.includes(family)) return
      const second = await this.#takeOne(service, family, ips[1], transaction, dryRun)
      spec.clusterIPs = [before[0]!, second]
    }
  }

  /** Chooses the ports, takes them in the range that all servers share, and chooses again when another was first. */
  async #takePorts(
    service: Service,
    old: Service | undefined,
    transaction: Transaction,
    dryRun: boolean,
  ): Promise<void> {
    const had = old ? nodePortsOf(old.spec) : []
    const asked = structuredClone({ ports: service.spec.ports, health: service.spec.healthCheckNodePort })
    for (let refreshed = false; ;) {
      const plan = new PortPlan(service, old, this.#ports, this.#env.random, dryRun)
      const problem = plan.make()
      // What another server gave back is free again.
      if (problem && (refreshed || !(await this.#ports.refresh()))) throw problem
      refreshed = true
      if (!problem) {
        const gone = had.filter((port) => !nodePortsOf(service.spec).includes(port))
        const { taken } = plan
        if (dryRun || (await this.#ports.claim(taken))) {
          if (taken.length > 0 && !dryRun) transaction.took(() => this.#ports.release(taken))
          if (gone.length > 0) transaction.releases(() => this.#ports.release(gone))
          return
        }
      }
      service.spec.ports = structuredClone(asked.ports)
      if (asked.health === undefined) delete service.spec.healthCheckNodePort
      else service.spec.healthCheckNodePort = asked.health
    }
  }
}
