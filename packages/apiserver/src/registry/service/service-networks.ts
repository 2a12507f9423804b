/**
 * The networks that Services get addresses of: those that ServiceCIDR objects name, while they are ready.
 * Mirrors: pkg/registry/core/service/ipallocator/cidrallocator.go
 */
import { serviceCIDR, type ServiceCIDR } from "@knarr/api"
import { isConditionTrue, findCondition } from "@knarr/apimachinery"
import type { ServiceReader } from "./address-book.ts"
import { IpAllocator } from "./ip-allocator.ts"

/** The object that the server makes itself of the networks that it is started with. */
const ownName = "kubernetes"

export class ServiceNetworks {
  readonly #registry: ServiceReader
  readonly #given: readonly IpAllocator[]
  readonly #isServed: boolean
  /** By network; they know nothing that could be lost with them. */
  readonly #known = new Map<string, IpAllocator>()
  #ready: readonly IpAllocator[] | undefined

  /** `cidrs`: those that the server is started with, one or one of each family. Throws for what is no network. */
  constructor(registry: ServiceReader, cidrs: readonly string[]) {
    this.#registry = registry
    this.#given = cidrs.map((cidr) => this.#allocator(cidr))
    this.#isServed = registry.find(serviceCIDR.group, serviceCIDR.version, serviceCIDR.plural) !== undefined
  }

  /** Follows the objects while it is not disposed. */
  follow(): Disposable {
    if (!this.#isServed) return { [Symbol.dispose]() {} }
    return this.#registry.onChange(serviceCIDR, () => (this.#ready = undefined))
  }

  /** Of the cluster, the default first. */
  get families(): readonly ("IPv4" | "IPv6")[] {
    return this.#given.map(({ family }) => family)
  }

  /** Networks of a family that addresses may be taken of now, those of the start first. */
  of(family: "IPv4" | "IPv6"): readonly IpAllocator[] {
    this.#ready ??= this.#find()
    return this.#ready.filter((one) => one.family === family)
  }

  #find(): readonly IpAllocator[] {
    const objects = this.#isServed ? this.#registry.list(serviceCIDR) : []
    // Before the server has made its own object nothing but what it was told counts.
    if (!objects.some(({ metadata }) => metadata.name === ownName)) return this.#given
    const given = this.#given.map(({ cidr }) => cidr)
    const ready = new Set(objects.filter(isReady).flatMap(({ spec }) => spec.cidrs ?? []))
    const others = [...ready].filter((cidr) => !given.includes(cidr))
    return [...given.filter((cidr) => ready.has(cidr)), ...others].map((cidr) => this.#allocator(cidr))
  }

  #allocator(cidr: string): IpAllocator {
    let found = this.#known.get(cidr)
    if (!found) this.#known.set(cidr, (found = new IpAllocator(cidr)))
    return found
  }
}

function isReady({ metadata, status }: Readonly<ServiceCIDR>): boolean {
  if (metadata.deletionTimestamp) return false
  if (isConditionTrue(status?.conditions, "Ready")) return true
  // The server's own is ready from the first moment: its first Service needs an address of it.
  return metadata.name === ownName && !findCondition(status?.conditions, "Ready")
}
