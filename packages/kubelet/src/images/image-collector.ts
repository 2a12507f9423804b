/**
 * Removes images that no container uses when the disk is getting full, the longest unused first.
 * Mirrors: pkg/kubelet/images/image_gc_manager.go
 */
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { FilesystemUse, NodeHost } from "../node/node-host.ts"
import { isRuntimeNotFound, type ContainerRuntime } from "../runtime/container-runtime.ts"
import type { Image } from "../runtime/cri.gen.ts"

export interface ImageCollectorOptions {
  readonly env: Env
  readonly scope: Scope
  readonly runtime: ContainerRuntime
  readonly host: NodeHost
  /** Of images; undefined: the kubelet's own. */
  readonly filesystem?: (signal: AbortSignal) => Promise<FilesystemUse | undefined>
  /** Names of images that are never removed, beside those that the runtime pins. */
  readonly spared: readonly string[]
  /** Names of images that are used by others than containers. */
  readonly mounted?: () => Iterable<string>
  /** Default 5 min. */
  readonly periodMs?: number
}

interface Seen {
  readonly sinceMs: number
  usedMs: number
}

const highPart = 0.85
const lowPart = 0.8
const minAgeMs = 2 * 60_000

export class ImageCollector {
  readonly #options: ImageCollectorOptions
  readonly #seen = new Map<string, Seen>()

  /** Looks now and then until the scope ends. */
  constructor(options: ImageCollectorOptions) {
    this.#options = options
    options.scope.run("image collection", (signal) => this.#run(signal), { restart: true })
  }

  /** Removes every image that nobody uses. */
  async prune(signal: AbortSignal): Promise<void> {
    await this.#free(Infinity, 0, signal)
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { env, host, filesystem, periodMs = 5 * 60_000 } = this.#options
    for (;;) {
      await env.clock.sleep(periodMs, signal)
      try {
        const { capacityBytes, availableBytes } = (await filesystem?.(signal)) ?? host.filesystem()
        const used = capacityBytes - availableBytes
        if (used >= capacityBytes * highPart)
          await this.#free(used - capacityBytes * lowPart, minAgeMs, signal)
        else await this.#unused(signal)
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.warn("Cannot look for images that nobody uses", { err: messageOf(thrown) })
      }
    }
  }

  async #free(wantedBytes: number, ageMs: number, signal: AbortSignal): Promise<void> {
    const { env, runtime } = this.#options
    const nowMs = env.clock.monotonic()
    let freed = 0
    for (const { id, size } of await this.#unused(signal)) {
      if (freed >= wantedBytes) return
      if (nowMs - this.#seen.get(id)!.sinceMs < ageMs) continue
      try {
        env.log.info("Removing an image that nobody uses", { id, bytes: Number(size) })
        await runtime.removeImage({ image: { image: id } }, { signal })
      } catch (thrown) {
        signal.throwIfAborted()
        if (!isRuntimeNotFound(thrown)) {
          env.log.warn("Cannot remove an image", { id, err: messageOf(thrown) })
          continue
        }
      }
      this.#seen.delete(id)
      freed += Number(size)
    }
    if (wantedBytes !== Infinity && freed < wantedBytes)
      env.log.warn("Not enough of the images can be removed", { wantedBytes, freed })
  }

  async #mounted(signal: AbortSignal): Promise<readonly string[]> {
    const { runtime, mounted } = this.#options
    const ids: string[] = []
    for (const image of new Set(mounted?.())) {
      try {
        const found = await runtime.imageStatus({ image: { image } }, { signal })
        if (found.image) ids.push(found.image.id)
      } catch (thrown) {
        if (!isRuntimeNotFound(thrown)) throw thrown
      }
    }
    return ids
  }

  /** Notes which images are used, and answers the others, the longest unused first. */
  async #unused(signal: AbortSignal): Promise<readonly Image[]> {
    const { env, runtime, spared } = this.#options
    const [{ images }, { containers }] = await Promise.all([
      runtime.listImages({}, { signal }),
      runtime.listContainers({}, { signal }),
    ])
    const nowMs = env.clock.monotonic()
    const used = new Set(
      containers.flatMap(({ image, imageRef, imageId }) => [image?.image, imageRef, imageId]),
    )
    for (const id of await this.#mounted(signal)) used.add(id)
    const present = new Set(images.map(({ id }) => id))
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id)
    const out: Image[] = []
    for (const image of images) {
      let seen = this.#seen.get(image.id)
      if (!seen) this.#seen.set(image.id, (seen = { sinceMs: nowMs, usedMs: 0 }))
      const names = [image.id, ...image.repoTags, ...image.repoDigests]
      if (names.some((name) => used.has(name))) seen.usedMs = nowMs
      else if (!image.pinned && !names.some((name) => spared.includes(name))) out.push(image)
    }
    const rank = ({ id }: Image): Seen => this.#seen.get(id)!
    return out.sort((a, b) => rank(a).usedMs - rank(b).usedMs || rank(a).sinceMs - rank(b).sinceMs)
  }
}
