/**
 * Calls of etcd's API on the members of a cluster: one is asked until it fails, then the next one. What only reads is asked
 * again, a write only when no member heard of it.
 * Mirrors: etcd client/v3 (retry_interceptor.go, the balancer)
 */
import { Backoff, type Env, Semaphore } from "@knarr/base"
import {
  createCodec,
  createGrpcClient,
  type GrpcClient,
  GrpcError,
  grpcCodes,
  type GrpcServer,
  type GrpcStream,
  type MessageInit,
} from "@knarr/grpc"
import { etcdEnums, type EtcdMessages, etcdMethods, etcdTables } from "./etcd.gen.ts"

/** Files may be read anew for it. */
export interface EtcdTls {
  /** PEM of the authority that signed the members' certificates; default: those that Node trusts. */
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
}

export interface EtcdClientOptions {
  readonly env: Env
  /** `http://host:port`, `https://host:port` or `unix:///path` of each member. */
  readonly endpoints: readonly string[]
  /** Asked at each connection to an `https` member. */
  readonly tls?: (() => EtcdTls) | undefined
}

/** Others wait, without a time of theirs running. */
const callsAtOnce = 256
/** A member may be silent this long. */
const attemptMs = 10_000
/** And this long when another one can be asked the same. */
const hopMs = 3_000
/** For this long a call is tried. */
const callMs = 15_000
/** A member that has no leader says so instead of waiting for one. Mirrors: etcd api/v3/v3rpc/rpctypes/md.go */
const headers = { hasleader: "true" }
const noLeaderText = "etcdserver: no leader"
/** Mirrors: apiserver storagebackend/factory/etcd3.go keepaliveTime, keepaliveTimeout */
const keepAlive = { afterMs: 30_000, waitMs: 10_000 }

const codec = createCodec<EtcdMessages>(etcdTables, etcdEnums)

type Method = keyof typeof etcdMethods
type RequestOf<M extends Method> = (typeof etcdMethods)[M][1]
type ResponseOf<M extends Method> = (typeof etcdMethods)[M][2]

export interface CallOptions {
  readonly signal: AbortSignal
  /** The call changes nothing, or the same however often it is made. */
  readonly repeatable: boolean
}

/** Throws for an endpoint that is none. */
function targetOf(endpoint: string, tls: () => EtcdTls): string | GrpcServer {
  const url = URL.parse(/^\w+:\/\//.test(endpoint) ? endpoint : `http://${endpoint}`)
  if (url?.protocol === "unix:") return url.host + url.pathname
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new Error(`Cannot use the etcd endpoint "${endpoint}": it is no http or https URL`)
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80))
  const host = url.hostname.replace(/^\[|\]$/g, "")
  return { host, port, tls: url.protocol === "https:" ? tls : undefined }
}

/** A stream of requests and answers of one method. */
export interface EtcdStream<M extends Method> {
  send(request: MessageInit<EtcdMessages[RequestOf<M>]>): void
  /** As {@link GrpcStream.next}. */
  next(signal: AbortSignal): Promise<EtcdMessages[ResponseOf<M>] | undefined>
}

export class EtcdClient implements Disposable {
  readonly #env: Env
  readonly #members: readonly GrpcClient[]
  /** What runs on each member. */
  readonly #streams: readonly Set<GrpcStream>[]
  readonly #room = new Semaphore(callsAtOnce)
  #at = 0

  constructor({ env, endpoints, tls = () => ({}) }: EtcdClientOptions) {
    if (endpoints.length === 0) throw new Error("Cannot use etcd: no endpoint is given")
    this.#env = env
    this.#members = endpoints.map((endpoint) =>
      createGrpcClient({ socket: targetOf(endpoint, tls), clock: env.clock, keepAlive }),
    )
    this.#streams = endpoints.map(() => new Set())
  }

  /** Rejects with a {@link GrpcError}, or with the reason of the signal. */
  async call<M extends Method>(
    method: M,
    request: MessageInit<EtcdMessages[RequestOf<M>]>,
    { signal, repeatable }: CallOptions,
  ): Promise<EtcdMessages[ResponseOf<M>]> {
    const [path, requestName, responseName] = etcdMethods[method]
    const bytes = codec.encode(requestName, request as never)
    const { clock } = this.#env
    const deadline = clock.monotonic() + callMs
    const pause = new Backoff({ firstMs: 20, maxMs: 500 })
    const timeoutMs = repeatable && this.#members.length > 1 ? hopMs : attemptMs
    for (let tries = 1; ; tries++) {
      const at = this.#at
      try {
        using _room = await this.#room.acquire(signal)
        const answer = await this.#members[at]!.unary(path, bytes, { signal, timeoutMs, headers })
        return codec.decode(responseName, answer) as EtcdMessages[ResponseOf<M>]
      } catch (thrown) {
        if (!isOfMember(thrown)) throw thrown
        this.#moveFrom(at)
        const heard = !thrown.unsent && thrown.message !== noLeaderText
        // Of one member that is silent nothing more can be had.
        const again = !heard || (repeatable && (this.#members.length > 1 || isUnavailable(thrown)))
        if (!again || clock.monotonic() >= deadline) throw thrown
        // The others first, then a while later all of them again.
        if (tries % this.#members.length === 0) await pause.wait(clock, signal)
      }
    }
  }

  /** A stream on the member that is asked now; it fails when another one is asked. `signal` is aborted when it is not used any more. */
  stream<M extends Method>(method: M, signal: AbortSignal): EtcdStream<M> {
    const [path, requestName] = etcdMethods[method]
    const at = this.#at
    const duplex = this.#members[at]!.duplex(path, { signal, headers })
    const streams = this.#streams[at]!.add(duplex)
    signal.addEventListener("abort", () => streams.delete(duplex), { once: true })
    return {
      send: (request) => duplex.send(codec.encode(requestName, request as never)),
      next: (waiting) => this.#next(method, duplex, at, waiting),
    }
  }

  /** The answers to one request, of the member that is asked now. */
  async *answers<M extends Method>(
    method: M,
    request: MessageInit<EtcdMessages[RequestOf<M>]>,
    signal: AbortSignal,
  ): AsyncGenerator<EtcdMessages[ResponseOf<M>]> {
    const [path, requestName] = etcdMethods[method]
    const at = this.#at
    const stream = this.#members[at]!.stream(path, codec.encode(requestName, request as never), { signal })
    for (;;) {
      const answer = await this.#next(method, stream, at, signal)
      if (!answer) return
      yield answer
    }
  }

  async #next<M extends Method>(
    method: M,
    stream: GrpcStream,
    at: number,
    signal: AbortSignal,
  ): Promise<EtcdMessages[ResponseOf<M>] | undefined> {
    try {
      const message = await stream.next(signal)
      return message && (codec.decode(etcdMethods[method][2], message) as EtcdMessages[ResponseOf<M>])
    } catch (thrown) {
      if (isOfMember(thrown)) this.#moveFrom(at)
      throw thrown
    }
  }

  /** Asks the next member from now on. What runs on one that is silent would hang. */
  #moveFrom(at: number): void {
    if (this.#at !== at || this.#members.length === 1) return
    this.#at = (at + 1) % this.#members.length
    const streams = this.#streams[at]!
    for (const stream of streams)
      stream.fail(new GrpcError("", grpcCodes.unavailable, "another member of etcd is asked from now on"))
    streams.clear()
  }

  [Symbol.dispose](): void {
    for (const member of this.#members) member.close()
  }
}

/** Another member may do better. */
function isOfMember(thrown: unknown): thrown is GrpcError {
  return thrown instanceof GrpcError && (isUnavailable(thrown) || thrown.code === grpcCodes.deadlineExceeded)
}

function isUnavailable({ code }: GrpcError): boolean {
  return code === grpcCodes.unavailable
}
