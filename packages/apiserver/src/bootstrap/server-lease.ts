/**
 * Which API servers of a store there are: each has a key of its own with its address, which ends when the server is not there
 * to renew it. Kube-apiservers keep the same keys.
 * Mirrors: pkg/controlplane/reconcilers/lease.go
 */
import { endpoints } from "@knarr/api"
import {
  decodeProtobuf,
  encodeProtobufDocument,
  isProtobufDocument,
  openProtobufEnvelope,
} from "@knarr/apimachinery"
import type { Env } from "@knarr/base"
import type { Store } from "@knarr/store"

const prefix = "/registry/masterleases/"
const ttlSeconds = 15
const renewEveryMs = 10_000

interface Value {
  readonly subsets?: readonly { readonly addresses?: readonly { readonly ip: string }[] }[]
}

export class ServerLease {
  readonly #store: Store
  readonly #key: string
  readonly #address: string
  #generation = 0

  constructor(store: Store, address: string) {
    this.#store = store
    this.#address = address
    this.#key = prefix + address
  }

  /** The addresses of all servers, this one's too, in order. */
  async renew(): Promise<readonly string[]> {
    const { schema } = endpoints
    const value = {
      metadata: { generation: ++this.#generation },
      subsets: [{ addresses: [{ ip: this.#address }] }],
    }
    const lease = await this.#store.grantLease(ttlSeconds)
    await this.#store.put(this.#key, encodeProtobufDocument(schema, endpoints, value), { lease })
    const { kvs } = await this.#store.range({ prefix })
    const addresses = kvs.flatMap(({ value: bytes }) => {
      if (!isProtobufDocument(bytes)) return []
      const { subsets } = decodeProtobuf(schema, openProtobufEnvelope(bytes).raw) as Value
      return subsets?.[0]?.addresses?.slice(0, 1).map(({ ip }) => ip) ?? []
    })
    return [...new Set(addresses)].sort()
  }

  /** Renews it until the signal is aborted, and then gives it up. `changed` gets the addresses each time. */
  async keep(
    env: Env,
    changed: (addresses: readonly string[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for (;;) {
        await env.clock.sleep(renewEveryMs, signal)
        try {
          await changed(await this.renew())
        } catch (thrown) {
          signal.throwIfAborted()
          env.log.warn("Cannot renew this server's address", { err: String(thrown) })
        }
      }
    } finally {
      // It would end by itself.
      await this.#store.delete(this.#key).catch(() => {})
    }
  }
}
