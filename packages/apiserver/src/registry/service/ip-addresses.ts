/**
 * Repairs the IPAddress objects of Services: what somebody deleted comes back at once; what is missing or left over from
 * writes that were cut off, at the start and every few minutes.
 * Mirrors: pkg/registry/core/service/ipallocator/controller/repairip.go
 */
import { ipAddress, service, type IPAddress, type Service } from "@knarr/api"
import { parseTime } from "@knarr/apimachinery"
import { deferred, type Env, type Scope } from "@knarr/base"
import {
  type AddressBook,
  allocatedIPs,
  canonical,
  isManaged,
  isOf,
  keyOf,
  type ServiceKey,
  type ServiceReader,
} from "./address-book.ts"

export interface IPAddressOptions {
  readonly env: Env
  readonly registry: ServiceReader
  readonly book: AddressBook
  /** Ends the work. */
  readonly scope: Scope
}

/** After a failed write, in milliseconds. */
const retryMs = 1000
const repairEveryMs = 180_000
/** An object may be older than its Service, which is written next. */
const graceMs = 60_000
/** Services whose objects are repaired at the same time: their writes share the store's commits. */
const repairedTogether = 64

/** Resolves when the objects are as they should be; keeps them so until the scope closes. Both kinds must be served. */
export async function keepIPAddresses(options: IPAddressOptions): Promise<void> {
  const keeper = new IPAddressKeeper(options)
  const { registry, scope, env } = options
  scope.use(
    registry.onChange(ipAddress, (objects) => {
      for (const { name } of objects) keeper.look(name)
    }),
  )
  await keeper.repair()
  scope.run("IPAddress objects", (signal) => keeper.run(signal), { restart: true })
  scope.run(
    "repair of IPAddress objects",
    async (signal) => {
      for (;;) {
        await env.clock.sleep(repairEveryMs, signal)
        await keeper.repair()
      }
    },
    { restart: true },
  )
}

class IPAddressKeeper {
  readonly #options: IPAddressOptions
  /** Services to look at; no more than there are. */
  readonly #changed = new Set<ServiceKey>()
  #wake = deferred()

  constructor(options: IPAddressOptions) {
    this.#options = options
  }

  /** An address's object has changed. */
  look(address: string): void {
    const { book } = this.#options
    const owner = book.ownerOf(address)
    if (owner === undefined || book.object(address)) return
    this.#changed.add(owner)
    this.#wake.resolve()
  }

  async repair(): Promise<void> {
    const { registry, book, env } = this.#options
    const keys = registry.list(service).map(({ metadata }) => keyOf(metadata))
    for (let i = 0; i < keys.length; i += repairedTogether)
      await Promise.all(keys.slice(i, i + repairedTogether).map((key) => this.#settle(key)))
    const before = env.clock.now() - graceMs
    for (const object of registry.list<IPAddress>(ipAddress)) {
      const { name, creationTimestamp } = object.metadata
      if (book.ownerOf(name) !== undefined || !isManaged(object)) continue
      if (parseTime(creationTimestamp ?? "") <= before) await book.removeObject(object)
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
          await this.#settle(key)
        } catch (thrown) {
          if (signal.aborted) return
          const { log, clock } = this.#options.env
          log.error("Cannot write the IPAddress objects of a Service; will try again", thrown, {
            service: key,
          })
          this.#changed.add(key)
          this.#wake.resolve()
          await clock.sleep(retryMs, signal)
        }
      }
    }
  }

  async #settle(key: ServiceKey): Promise<void> {
    const { registry, book } = this.#options
    const [namespace, name] = key.split("/") as [string, string]
    const { spec } = registry.get<Service>(service, { namespace, name }) ?? {}
    for (const address of allocatedIPs(spec).map(canonical)) {
      const present = book.object(address)
      if (present && (!isManaged(present) || isOf(present, key))) continue
      if (present) await book.removeObject(present)
      // Another server of the same store does the same.
      await book.createObject(address, key)
    }
  }
}
