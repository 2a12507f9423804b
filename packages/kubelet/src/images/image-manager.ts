/**
 * Gets the images of containers and volumes: pull policies, credentials, back-off, and so many pulls at a time.
 * Mirrors: pkg/kubelet/images/image_manager.go
 */
import type { Pod } from "@knarr/api"
import { formatGoDuration, goQuote, parseImageName } from "@knarr/apimachinery"
import { Semaphore, type Env } from "@knarr/base"
import type { EventRecorder } from "@knarr/client"
import { grpcCodes } from "@knarr/grpc"
import type { ObjectReader } from "../contract.ts"
import { Backoffs } from "../pod-worker/backoffs.ts"
import { StartError, callErrorText } from "../pod-worker/start-error.ts"
import {
  RuntimeError,
  isRuntimeNotFound,
  type ContainerRuntime,
  type RuntimeRequest,
} from "../runtime/container-runtime.ts"
import type { Image } from "../runtime/cri.gen.ts"
import { credentialsFor, readPullSecrets } from "./pull-secrets.ts"
import { SharedCalls } from "./shared-calls.ts"

export interface ImageManagerOptions {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly objects: ObjectReader
  readonly events: EventRecorder
  /** Pulls at a time; default 5. */
  readonly maxParallelPulls?: number
}

/** What a container or a volume says of its image. */
export interface WantedImage {
  readonly name: string
  /** Default `IfNotPresent`. */
  readonly policy: string | undefined
}

export interface ImageRequest extends WantedImage {
  readonly pod: Readonly<Pod>
  /** Whom events are about: the container in the pod, or the pod. */
  readonly subject: Parameters<EventRecorder["event"]>[0]
  readonly sandboxConfig: RuntimeRequest<"runPodSandbox">["config"]
}

const maxRemembered = 10_000
/** So long an image that was there a moment ago is taken to be there still. */
const presentMs = 1000
const maxPresent = 1000

interface Pulled {
  readonly id: string
  readonly startMs: number
  readonly endMs: number
}

export class ImageManager {
  readonly #options: ImageManagerOptions
  readonly #turns: Semaphore
  readonly #backoff = new Backoffs()
  readonly #inspections = new SharedCalls<Image | undefined>()
  readonly #pulls = new SharedCalls<Pulled>()
  /** By name, with the time until which it may be taken from here. */
  readonly #present = new Map<string, { readonly image: Image; readonly untilMs: number }>()
  /** Key of the back-off → when the last pull failed, and how. */
  readonly #failures = new Map<string, { readonly atMs: number; readonly text: string }>()

  constructor(options: ImageManagerOptions) {
    this.#options = options
    this.#turns = new Semaphore(options.maxParallelPulls ?? 5)
  }

  /** Whether the image must be fetched first, which takes a while. */
  async needsPull({ name, policy }: WantedImage, signal: AbortSignal): Promise<boolean> {
    if (policy === "Always") return true
    try {
      return (await this.status(withTag(name), signal)) === undefined
    } catch {
      signal.throwIfAborted()
      return false
    }
  }

  /**
   * The image in the runtime, pulled when the policy says so. Throws a {@link StartError} whose reason is
   * `ErrImagePull`, `ImagePullBackOff`, `ErrImageNeverPull`, `InvalidImageName` or `ImageInspectError`.
   */
  async ensure(request: ImageRequest, signal: AbortSignal): Promise<Image> {
    const { pod, name, subject, policy = "IfNotPresent" } = request
    const { env, events } = this.#options
    const event = (type: "Normal" | "Warning", reason: string, message: string): void =>
      events.event(subject, type, reason, message)
    let full: string
    try {
      full = withTag(name)
    } catch (thrown) {
      const message = `Failed to apply default image tag ${goQuote(name)}: ${(thrown as Error).message}`
      event("Warning", "InspectFailed", message)
      throw new StartError("InvalidImageName", message)
    }
    let present: Image | undefined
    try {
      present = await this.status(full, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      const message = `Failed to inspect image ${goQuote(full)}: ${callErrorText(thrown)}`
      event("Warning", "InspectFailed", message)
      throw new StartError("ImageInspectError", message)
    }
    if (present && policy !== "Always") {
      const message = `Container image ${goQuote(name)} already present on machine and can be accessed by the pod`
      event("Normal", "Pulled", message)
      return present
    }
    if (policy === "Never") {
      const message = `Container image ${goQuote(name)} is not present with pull policy of Never`
      event("Warning", "ErrImageNeverPull", message)
      throw new StartError("ErrImageNeverPull", message)
    }

    const key = `${pod.metadata.uid}_${full}`
    const failed = this.#failures.get(key)
    const nowMs = env.clock.monotonic()
    const waitMs = failed ? this.#backoff.remainingMs(key, failed.atMs, nowMs) : 0
    if (waitMs > 0) {
      const message = `Back-off pulling image ${goQuote(name)}`
      event("Normal", "BackOff", message)
      throw new StartError("ImagePullBackOff", `${message}: ${failed!.text}`, waitMs)
    }
    event("Normal", "Pulling", `Pulling image ${goQuote(name)}`)
    try {
      const { id, pullMs, waitedMs } = await this.#pull(request, full, signal)
      this.#failures.delete(key)
      const image = await this.status(id, signal)
      if (!image) throw new Error(`image ${goQuote(full)} is gone again`)
      const times = `${millis(pullMs)} (${millis(waitedMs)} including waiting)`
      event(
        "Normal",
        "Pulled",
        `Successfully pulled image ${goQuote(name)} in ${times}. Image size: ${image.size} bytes.`,
      )
      return image
    } catch (thrown) {
      signal.throwIfAborted()
      const text = pullErrorText(thrown)
      event("Warning", "Failed", `Failed to pull image ${goQuote(name)}: ${text}`)
      const atMs = env.clock.monotonic()
      this.#backoff.next(key, atMs, atMs)
      if (this.#failures.size >= maxRemembered) this.#failures.delete(this.#failures.keys().next().value!)
      this.#failures.set(key, { atMs, text: `ErrImagePull: ${text}` })
      throw new StartError("ErrImagePull", text)
    }
  }

  /** The image by its name or id; undefined when the runtime does not have it. */
  async status(name: string, signal: AbortSignal): Promise<Image | undefined> {
    const { clock } = this.#options.env
    const known = this.#present.get(name)
    if (known && clock.monotonic() < known.untilMs) return known.image
    const image = await this.#inspections.run(name, (shared) => this.#inspect(name, shared), signal)
    this.#present.delete(name)
    if (!image) return undefined
    if (this.#present.size >= maxPresent) this.#present.delete(this.#present.keys().next().value!)
    this.#present.set(name, { image, untilMs: clock.monotonic() + presentMs })
    return image
  }

  async #inspect(name: string, signal: AbortSignal): Promise<Image | undefined> {
    try {
      return (await this.#options.runtime.imageStatus({ image: { image: name } }, { signal })).image
    } catch (thrown) {
      if (isRuntimeNotFound(thrown)) return undefined
      throw thrown
    }
  }

  /** Forgets what it remembers of a pod that is gone. */
  forget(podUid: string): void {
    this.#backoff.forget(podUid)
    for (const key of this.#failures.keys()) if (key.startsWith(podUid)) this.#failures.delete(key)
  }

  async #pull(
    { pod, sandboxConfig }: ImageRequest,
    image: string,
    signal: AbortSignal,
  ): Promise<{ id: string; pullMs: number; waitedMs: number }> {
    const { env, objects, events } = this.#options
    const { secrets, missing } = await readPullSecrets(pod, objects, signal)
    if (missing.length > 0)
      events.event(
        pod,
        "Warning",
        "FailedToRetrieveImagePullSecret",
        `Unable to retrieve some image pull secrets (${missing.join(", ")}); attempting to pull the image may not succeed.`,
      )
    const credentials = credentialsFor(image, secrets)
    const askedMs = env.clock.monotonic()
    const request = { image: { image }, ...(sandboxConfig ? { sandboxConfig } : {}) }
    const { id, startMs, endMs } = await this.#pulls.run(
      JSON.stringify([image, credentials]),
      (shared) => this.#pullOnce(request, credentials, shared),
      signal,
    )
    this.#present.delete(image)
    return { id, pullMs: endMs - Math.max(startMs, askedMs), waitedMs: endMs - askedMs }
  }

  async #pullOnce(
    request: RuntimeRequest<"pullImage">,
    credentials: ReturnType<typeof credentialsFor>,
    signal: AbortSignal,
  ): Promise<Pulled> {
    const { env, runtime } = this.#options
    using _turn = await this.#turns.acquire(signal)
    const startMs = env.clock.monotonic()
    let failure: unknown
    for (const auth of credentials.length > 0 ? credentials : [undefined]) {
      try {
        const { imageRef } = await runtime.pullImage({ ...request, ...(auth ? { auth } : {}) }, { signal })
        return { id: imageRef, startMs, endMs: env.clock.monotonic() }
      } catch (thrown) {
        signal.throwIfAborted()
        failure = thrown
      }
    }
    throw failure
  }
}

/** The name with `:latest` when it has neither tag nor digest. Throws for what is no image name. */
function withTag(name: string): string {
  const { tag, digest } = parseImageName(name)
  return tag === undefined && digest === undefined ? `${name}:latest` : name
}

/** The code of an unknown error tells nobody anything. */
function pullErrorText(thrown: unknown): string {
  return thrown instanceof RuntimeError && thrown.code === grpcCodes.unknown
    ? thrown.message
    : callErrorText(thrown)
}

function millis(ms: number): string {
  return formatGoDuration(Math.floor(ms))
}
