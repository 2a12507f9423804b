/**
 * Shows each address that a Service has as an IPAddress object. The allocator itself needs none of them: they
 * follow the Services, and what is missing or left over is repaired at the start.
 * Mirrors: pkg/registry/core/service/ipallocator (ipallocator.go, controller/repairip.go)
 */
import { ipAddress, service, type Creatable, type IPAddress } from "@knarr/api"
import { formatIP, isAlreadyExists, isNotFound, parseIP } from "@knarr/apimachinery"
import { deferred, type Env, type Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { Registry } from "../registry.ts"
import { allocatedIPs } from "./service-hooks.ts"

export interface IPAddressOptions {
  readonly env: Env
  readonly registry: Registry
  /** Acts as the server itself. */
  readonly client: Client
  /** Ends the work. */
  readonly scope: Scope
}

const familyLabel = "ipaddress.kubernetes.io/ip-family"
const managerLabel = "ipaddress.kubernetes.io/managed-by"
const manager = "ipallocator.k8s.io"
/** After a failed write, in milliseconds. */
const retryMs = 1000
/** Services whose objects are repaired at the same time: their writes share the store's commits. */
const repairedTogether = 64

/** Resolves when the objects are as they should be; keeps them so until the scope closes. Both kinds must be served. */
export async function followIPAddresses(options: IPAddressOptions): Promise<void> {
  const follower = new IPAddressFollower(options)
  const { registry, scope } = options
  scope.use(
    registry.onChange(service, (objects) => {
      for (const { namespace, name } of objects) follower.look(`${namespace}/${name}`)
    }),
  )
  scope.use(
    registry.onChange(ipAddress, (objects) => {
      for (const { name } of objects) follower.lookAtOwner(name)
    }),
  )
  await follower.repair()
  scope.run("IPAddress objects", (signal) => follower.run(signal), { restart: true })
}

class IPAddressFollower {
  readonly #options: IPAddressOptions
  /** Address → `namespace/name` of the Service that has it. */
  readonly #owners = new Map<string, string>()
  /** The other way around. */
  readonly #addresses = new Map<string, readonly string[]>()
  /** Services to look at; no more than there are, or were since the last look. */
  readonly #changed = new Set<string>()
  #wake = deferred()

  constructor(options: IPAddressOptions) {
    this.#options = options
  }

  look(key: string): void {
    this.#changed.add(key)
    this.#wake.resolve()
  }

  lookAtOwner(address: string): void {
    const owner = this.#owners.get(address)
    if (owner === undefined || this.#options.registry.get(ipAddress, { name: address })) return
    this.look(owner)
  }

  async repair(): Promise<void> {
    const { registry, scope } = this.#options
    const keys = registry.list(service).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    for (let i = 0; i < keys.length; i += repairedTogether)
      await Promise.all(keys.slice(i, i + repairedTogether).map((key) => this.#settle(key, scope.signal)))
    for (const object of registry.list<IPAddress>(ipAddress)) {
      if (this.#owners.has(object.metadata.name) || !isManaged(object)) continue
      await this.#remove(object, scope.signal)
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake.resolve(), { once: true })
    while (!signal.aborted) {
      await this.#wake.promise
      this.#wake = deferred()
      for (const key of this.#changed) {
        if (signal.aborted) return
        this.#changed.delete(key)
        try {
          await this.#settle(key, signal)
        } catch (thrown) {
          if (signal.aborted) return
          const { log, clock } = this.#options.env
          log.error("Cannot write the IPAddress objects of a Service; will try again", thrown, {
            service: key,
          })
          this.look(key)
          await clock.sleep(retryMs, signal)
        }
      }
    }
  }

  async #settle(key: string, signal: AbortSignal): Promise<void> {
    const { registry, client } = this.#options
    const [namespace, name] = key.split("/") as [string, string]
    const wanted = allocatedIPs(registry.get(service, { namespace, name })?.spec).map(canonical)
    for (const address of this.#addresses.get(key) ?? []) {
      if (wanted.includes(address) || this.#owners.get(address) !== key) continue
      const present = registry.get<IPAddress>(ipAddress, { name: address })
      if (present && isManaged(present)) await this.#remove(present, signal)
      this.#owners.delete(address)
    }
    for (const address of wanted) {
      this.#owners.set(address, key)
      const present = registry.get<IPAddress>(ipAddress, { name: address })
      if (present && (!isManaged(present) || isOf(present, namespace, name))) continue
      if (present) await this.#remove(present, signal)
      try {
        await client.create(ipAddress, addressOf(address, namespace, name), { signal })
      } catch (thrown) {
        // Another server of the same cluster does the same.
        if (!isAlreadyExists(thrown)) throw thrown
      }
    }
    if (wanted.length > 0) this.#addresses.set(key, wanted)
    else this.#addresses.delete(key)
  }

  async #remove({ metadata: { name, uid } }: Readonly<IPAddress>, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.client.delete(ipAddress, { name }, { preconditions: { uid }, signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }
}

function canonical(address: string): string {
  const ip = parseIP(address)
  return ip ? formatIP(ip) : address
}

function isManaged({ metadata }: Readonly<IPAddress>): boolean {
  return metadata.labels?.[managerLabel] === manager
}

function isOf({ spec }: Readonly<IPAddress>, namespace: string, name: string): boolean {
  const parent = spec.parentRef
  return (
    !parent?.group &&
    parent?.resource === "services" &&
    parent.namespace === namespace &&
    parent.name === name
  )
}

function addressOf(address: string, namespace: string, name: string): Creatable<IPAddress> {
  const family = address.includes(":") ? "IPv6" : "IPv4"
  return {
    metadata: { name: address, labels: { [familyLabel]: family, [managerLabel]: manager } },
    spec: { parentRef: { resource: "services", namespace, name } },
  }
}
