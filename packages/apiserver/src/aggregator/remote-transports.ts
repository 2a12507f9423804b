/** Connections to aggregated servers: each place of each service has its own, which end with the service. */
import { createTransport, type TlsOptions, type Transport } from "@knarr/client"
import type { Env, KeyPair } from "@knarr/base"
import type { Place, ServiceResolver } from "../outbound/service-resolver.ts"
import type { RemoteService } from "./remote-service.ts"

export interface RemoteTransportsOptions {
  readonly env: Pick<Env, "clock" | "random">
  readonly resolve: ServiceResolver
  /** PEM: who the server is to them; undefined: nobody. Asked with each request. */
  readonly identity: () => KeyPair | undefined
}

export interface Destination {
  readonly place: Place
  /** `host:port`, with the brackets of IPv6. */
  readonly authority: string
  readonly transport: Transport
  readonly tls: TlsOptions
}

/** Places of one service to which connections are kept: behind endpoints there may be many, and they change. */
const keptPlaces = 64

export class RemoteTransports implements Disposable {
  readonly #options: RemoteTransportsOptions
  /** By the APIService's name, then by place; what was used last is last. */
  readonly #transports = new Map<string, Map<string, Transport>>()
  readonly #tls = new WeakMap<RemoteService, { identity: KeyPair | undefined; tls: TlsOptions }>()
  /** What each APIService is now: connections are made with that. */
  readonly #current = new Map<string, RemoteService>()

  constructor(options: RemoteTransportsOptions) {
    this.#options = options
  }

  /** Where a service is now. Throws in upstream's words when nobody knows. */
  to(remote: RemoteService): Destination {
    const { namespace, name, port } = remote.service
    const place = this.#options.resolve(namespace, name, port)
    const authority = `${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`
    this.#current.set(remote.name, remote)
    let places = this.#transports.get(remote.name)
    if (!places) this.#transports.set(remote.name, (places = new Map()))
    let transport = places.get(authority)
    if (transport) places.delete(authority)
    else
      transport = createTransport({
        server: `https://${authority}`,
        tls: () => this.#tlsOf(this.#current.get(remote.name) ?? remote),
        env: this.#options.env,
      })
    places.set(authority, transport)
    for (const [oldest, unused] of places) {
      if (places.size <= keptPlaces) break
      places.delete(oldest)
      unused[Symbol.dispose]()
    }
    return { place, authority, transport, tls: this.#tlsOf(remote) }
  }

  /** Ends the connections of a service that is gone. */
  forget(name: string): void {
    for (const transport of this.#transports.get(name)?.values() ?? []) transport[Symbol.dispose]()
    this.#transports.delete(name)
    this.#current.delete(name)
  }

  [Symbol.dispose](): void {
    for (const name of [...this.#transports.keys()]) this.forget(name)
  }

  /** The same value as long as nothing changes. */
  #tlsOf(remote: RemoteService): TlsOptions {
    const identity = this.#options.identity()
    const known = this.#tls.get(remote)
    if (known && known.identity?.cert === identity?.cert) return known.tls
    const { caBundle, insecure, service } = remote
    const tls: TlsOptions = {
      servername: `${service.name}.${service.namespace}.svc`,
      rejectUnauthorized: !insecure,
      ...(caBundle === undefined ? {} : { ca: caBundle }),
      ...(identity ? { cert: identity.cert, key: identity.key } : {}),
    }
    this.#tls.set(remote, { identity, tls })
    return tls
  }
}
