/**
 * Certificates of pods: for each that a projected volume asks for, a key is made, a PodCertificateRequest written, and
 * what its signer issues kept and renewed. Nothing is kept over a restart: then all are asked for anew.
 * Mirrors: pkg/kubelet/podcertificate/podcertificatemanager.go
 */
import type { KeyObject } from "node:crypto"
import {
  podCertificateRequest,
  serviceAccount,
  type Pod,
  type PodCertificateProjection,
  type PodCertificateRequest,
} from "@knarr/api"
import { goQuote, isNotFound, parseTime, type Ref } from "@knarr/apimachinery"
import {
  Backoff,
  Scope,
  Semaphore,
  abortable,
  createKeyProof,
  deferred,
  messageOf,
  readPem,
  withTimeout,
  writePem,
  type Deferred,
  type Env,
} from "@knarr/base"
import type { Client, EventRecorder, InformerFactory } from "@knarr/client"
import type { PodCredentials } from "@knarr/volume"
import { generateKey } from "./pod-keys.ts"

/** The node in whose name certificates are asked for. */
export interface CertifyingNode {
  readonly name: string
  /** Undefined while the API has not told. */
  uid(): string | undefined
  readonly events: EventRecorder
}

export interface PodCertificatesOptions {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  readonly informers: InformerFactory
  readonly node: CertifyingNode
  /** Called when a certificate of the pod is there, and when it is replaced. */
  readonly onIssued: (podUid: string) => void
  /** Default: {@link generateKey}. */
  readonly makeKey?: (type: string) => Promise<KeyObject>
}

type State =
  | { readonly kind: "waiting" }
  | { readonly kind: "refused"; readonly state: "denied" | "failed"; readonly message: string }
  | {
      readonly kind: "issued"
      readonly credentials: PodCredentials
      readonly refreshMs: number
      readonly endMs: number
    }

interface Entry {
  readonly pod: Readonly<Pod>
  readonly volume: string
  readonly index: number
  readonly projection: Readonly<PodCertificateProjection>
  readonly scope: Scope
  state: State
  changed: Deferred<void>
  /** Of a request that could not be made yet. */
  key: KeyObject | undefined
}

/** A request that nothing is heard of for so long is looked for. */
const lostAfterMs = 10 * 60_000
/** A certificate whose renewal has not come for so long is told of. */
const overdueAfterMs = 10 * 60_000
const maxJitterMs = 5 * 60_000
const firstRetryMs = 1000
const maxRetryMs = 5 * 60_000
/** Most signers answer at once: whoever asks for the first certificate waits for it, before it is told as a failure. */
const patienceMs = 2000
/** How long the longest key may take on a busy machine, for clocks that can wait. */
const keyLimitMs = 60_000

export class PodCertificates {
  readonly #options: PodCertificatesOptions
  readonly #entries = new Map<string, Map<string, Entry>>()
  /** A long key takes a processor for a second, and one of the few threads that files are read and written on, too. */
  readonly #keys = new Semaphore(1)

  constructor(options: PodCertificatesOptions) {
    this.#options = options
  }

  /** Begins to ask for what the pod's volumes need. Idempotent. */
  register(pod: Readonly<Pod>): void {
    const { uid, namespace, name } = pod.metadata
    for (const volume of pod.spec.volumes ?? []) {
      for (const [index, { podCertificate: projection }] of (volume.projected?.sources ?? []).entries()) {
        if (!projection) continue
        const entries = this.#entries.get(uid) ?? new Map<string, Entry>()
        this.#entries.set(uid, entries)
        const key = keyOf(volume.name, index)
        if (entries.has(key)) continue
        const scope = this.#options.scope.child(`certificate ${namespace}/${name} ${key}`)
        const state = { kind: "waiting" } as const
        const entry: Entry = {
          ...{ pod, volume: volume.name, index, projection, scope, state },
          ...{ changed: deferred(), key: undefined },
        }
        entries.set(key, entry)
        scope.run("keep", (signal) => this.#keep(entry, signal), { restart: true })
      }
    }
  }

  /** Forgets what was issued for a pod that is gone. */
  forget(podUid: string): void {
    const entries = this.#entries.get(podUid)
    this.#entries.delete(podUid)
    for (const { scope } of entries?.values() ?? [])
      this.#options.scope.run(`end of ${scope.name}`, () => scope.close(), { contained: true })
  }

  /** See `VolumeReader.podCertificate`. */
  async get(pod: Readonly<Pod>, volume: string, index: number, signal: AbortSignal): Promise<PodCredentials> {
    const entry = this.#entries.get(pod.metadata.uid)?.get(keyOf(volume, index))
    if (!entry) throw new Error("no credentials yet")
    if (entry.state.kind === "waiting") {
      const wait = (inner: AbortSignal): Promise<void> => abortable(entry.changed.promise, inner)
      await withTimeout(this.#options.env.clock, patienceMs, "a certificate", signal, wait).catch(() => {
        signal.throwIfAborted()
      })
    }
    const { state } = entry
    if (state.kind === "issued") return state.credentials
    throw new Error(state.kind === "refused" ? state.message : "credential bundle is not issued yet")
  }

  /** How many sources are in which state, by signer. */
  states(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    const now = this.#options.env.clock.now()
    const out = new Map<string, Map<string, number>>()
    for (const entries of this.#entries.values()) {
      for (const { projection, state } of entries.values()) {
        const counts = out.get(projection.signerName) ?? new Map<string, number>()
        out.set(projection.signerName, counts)
        const name = stateName(state, now)
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    }
    return out
  }

  /** Asks, and again when it is time to. Ends when the signer will not have it. */
  async #keep(entry: Entry, signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    const backoff = new Backoff({ firstMs: firstRetryMs, maxMs: maxRetryMs })
    let warnings: readonly Disposable[] = []
    try {
      for (;;) {
        let state: State
        try {
          state = await this.#obtain(entry, signal)
        } catch (thrown) {
          signal.throwIfAborted()
          const pod = entry.pod.metadata.name
          env.log.warn("Cannot get a pod's certificate", { pod, err: messageOf(thrown) })
          await backoff.wait(env.clock, signal)
          continue
        }
        backoff.reset()
        for (const warning of warnings) warning[Symbol.dispose]()
        warnings = []
        entry.state = state
        entry.changed.resolve()
        this.#options.onIssued(entry.pod.metadata.uid)
        if (state.kind !== "issued") return
        warnings = this.#warnings(entry, state.refreshMs, state.endMs)
        await env.clock.sleep(Math.max(state.refreshMs - env.clock.now(), 0), signal)
      }
    } finally {
      for (const warning of warnings) warning[Symbol.dispose]()
    }
  }

  /** What the pod is told of when the renewal does not come. */
  #warnings({ pod }: Entry, refreshMs: number, endMs: number): readonly Disposable[] {
    const { env, node } = this.#options
    const warn = (atMs: number, reason: string, message: string): Disposable =>
      env.clock.timer(atMs - env.clock.now() + 1, () => node.events.event(pod, "Warning", reason, message))
    return [
      warn(refreshMs + overdueAfterMs, "CertificateOverdueForRefresh", "PodCertificate refresh overdue"),
      warn(endMs, "CertificateExpired", "PodCertificate expired"),
    ]
  }

  /** One key, one request, and what becomes of it. */
  async #obtain(entry: Entry, signal: AbortSignal): Promise<State> {
    const { pod, projection } = entry
    const { client, informers, node, env } = this.#options
    const { uid, name } = pod.metadata
    const namespace = pod.metadata.namespace!
    const accountName = pod.spec.serviceAccountName || "default"
    const account = await client.get(serviceAccount, { namespace, name: accountName }, { signal })
    const nodeUID = node.uid()
    if (nodeUID === undefined) throw new Error("the node is not known to the API yet")
    const key = (entry.key ??= await this.#newKey(projection.keyType, signal))
    using lease = informers.lease(podCertificateRequest, { fieldSelector: `spec.nodeName=${node.name}` })
    const request = await client.create(
      podCertificateRequest,
      {
        metadata: {
          namespace,
          generateName: "req-",
          ownerReferences: [{ apiVersion: "v1", kind: "Pod", name, uid }],
        },
        spec: {
          ...{ signerName: projection.signerName, podName: name, podUID: uid },
          ...{ serviceAccountName: accountName, serviceAccountUID: account.metadata.uid },
          ...{ nodeName: node.name, nodeUID },
          ...(projection.maxExpirationSeconds === undefined
            ? {}
            : { maxExpirationSeconds: projection.maxExpirationSeconds }),
          stubPKCS10Request: createKeyProof(key).toString("base64"),
          ...(projection.userAnnotations ? { unverifiedUserAnnotations: projection.userAnnotations } : {}),
        },
      } as PodCertificateRequest,
      { signal },
    )
    const ref = { namespace, name: request.metadata.name }
    const done = await this.#whenDecided(lease.informer, ref, signal)
    entry.key = undefined
    const condition = decisionOf(done)!
    const { type, reason = "", message = "" } = condition
    if (type === "Issued") {
      const { certificateChain = "", beginRefreshAt = "", notAfter = "" } = done.status
      return {
        kind: "issued",
        credentials: {
          key: key.export({ type: "pkcs8", format: "pem" }) as string,
          chain: readPem(certificateChain)
            .map((block) => writePem(block.type, block.bytes))
            .join(""),
        },
        refreshMs: parseTime(beginRefreshAt) + env.random.next() * maxJitterMs,
        endMs: parseTime(notAfter),
      }
    }
    const state = type === "Denied" ? "denied" : "failed"
    const why = `reason=${goQuote(reason)}`
    const told = `PodCertificateRequest ${namespace}/${ref.name} ${type === "Denied" ? "was denied" : "failed"}`
    node.events.event(pod, "Warning", type, `${told}, ${why}, message=${goQuote(message)}`)
    const text = `PodCertificateRequest was permanently ${state}: ${why} message=${goQuote(message)}`
    return { kind: "refused", state, message: text }
  }

  async #newKey(type: string, signal: AbortSignal): Promise<KeyObject> {
    const { env, makeKey = generateKey } = this.#options
    using _turn = await this.#keys.acquire(signal)
    using _held = env.clock.hold(keyLimitMs)
    return await makeKey(type)
  }

  /** The request once it is issued, denied or failed. Rejects when it is gone. */
  async #whenDecided(
    informer: ReturnType<InformerFactory["lease"]>["informer"],
    ref: Ref,
    signal: AbortSignal,
  ): Promise<PodCertificateRequest> {
    const { client, env } = this.#options
    const decided = deferred<PodCertificateRequest>()
    const gone = (): void => decided.reject(goneError(ref))
    const isOurs = ({ metadata }: { metadata: { namespace?: string | undefined; name: string } }): boolean =>
      metadata.name === ref.name && metadata.namespace === ref.namespace
    const seen = (object: object): void => {
      const request = object as PodCertificateRequest
      if (isOurs(request) && decisionOf(request)) decided.resolve(request)
    }
    using _subscription = informer.subscribe({
      added: seen,
      updated: seen,
      deleted: (object) => isOurs(object) && gone(),
    })
    for (;;) {
      try {
        const wait = (inner: AbortSignal): Promise<PodCertificateRequest> => abortable(decided.promise, inner)
        return await withTimeout(env.clock, lostAfterMs, "a decision", signal, wait)
      } catch (thrown) {
        signal.throwIfAborted()
        if ((thrown as Error).name !== "TimeoutError") throw thrown
      }
      // It may have gone while the watch was broken.
      const found = await client.get(podCertificateRequest, ref, { signal }).catch((thrown: unknown) => {
        throw isNotFound(thrown) ? goneError(ref) : thrown
      })
      seen(found)
    }
  }
}

function goneError({ namespace, name }: Ref): Error {
  return new Error(`PodCertificateRequest "${namespace}/${name}" appears to have been deleted`)
}

function keyOf(volume: string, index: number): string {
  return `${volume}/${index}`
}

function decisionOf(
  request: Readonly<PodCertificateRequest>,
): NonNullable<PodCertificateRequest["status"]["conditions"]>[number] | undefined {
  return request.status?.conditions?.find(({ type }) => ["Issued", "Denied", "Failed"].includes(type))
}

function stateName(state: State, now: number): string {
  if (state.kind === "waiting") return "not_yet_issued"
  if (state.kind === "refused") return state.state
  if (now > state.endMs) return "expired"
  return now > state.refreshMs + overdueAfterMs ? "overdue_for_refresh" : "fresh"
}
