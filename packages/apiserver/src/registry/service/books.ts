/** Opens the books of addresses and ports, and keeps what crashes left in them from staying. */
import { service } from "@knarr/api"
import type { Env, Scope } from "@knarr/base"
import type { Store } from "@knarr/store"
import type { StorageFormat } from "../stored-form.ts"
import { AddressBook, type ServiceReader } from "./address-book.ts"
import { nodePortsOf } from "./port-plan.ts"
import { PortRange } from "./port-range.ts"
import type { ServiceBooks, ServiceNetwork } from "./service-hooks.ts"
import { ServiceNetworks } from "./service-networks.ts"

const defaultServiceCidr = "10.96.0.0/12"
const repairEveryMs = 180_000
/** A port that no Service has in so many looks is free: the write that took it was cut off. */
const looksBeforeFree = 3

/** Resolves when the ports of all Services are in the book; both are kept until the scope closes. */
export async function openServiceBooks(
  registry: ServiceReader & {
    readonly env: Env
    readonly store: Store
    readonly storageFormat: StorageFormat
  },
  network: ServiceNetwork,
  scope: Scope,
): Promise<ServiceBooks> {
  const { store, env, storageFormat } = registry
  const addresses = new AddressBook(registry)
  scope.use(addresses.follow())
  const networks = new ServiceNetworks(registry, network.cidrs ?? [defaultServiceCidr])
  scope.use(networks.follow())
  const ports = new PortRange(store, network.nodePorts ?? { first: 30000, last: 32767 }, storageFormat)
  await ports.refresh()
  const used = (): Set<number> =>
    new Set(
      registry
        .list(service)
        .flatMap(({ spec }) => nodePortsOf(spec))
        .filter((port) => ports.contains(port)),
    )
  const addMissing = async (): Promise<void> => {
    await ports.claim([...used()].filter((port) => !ports.isTaken(port)))
  }
  await addMissing()
  scope.run(
    "repair of node ports",
    async (signal) => {
      const looks = new Map<number, number>()
      for (;;) {
        await env.clock.sleep(repairEveryMs, signal)
        await ports.refresh()
        await addMissing()
        const present = used()
        for (const port of looks.keys()) if (present.has(port) || !ports.isTaken(port)) looks.delete(port)
        for (const port of ports.taken) if (!present.has(port)) looks.set(port, (looks.get(port) ?? 0) + 1)
        const leaked = [...looks].filter(([, seen]) => seen >= looksBeforeFree).map(([port]) => port)
        await ports.release(leaked)
      }
    },
    { restart: true },
  )
  return { addresses, ports, networks }
}
