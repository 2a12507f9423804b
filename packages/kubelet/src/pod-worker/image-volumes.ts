/**
 * Volumes of images: pulled when the pod's first container is about to start, and mounted for those that want them.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_manager.go (getImageVolumes, toKubeContainerImageVolumes)
 */
import type { Container, Pod } from "@knarr/api"
import { partOf } from "@knarr/client"
import type { MountedVolume } from "../contract.ts"
import type { Image } from "../runtime/cri.gen.ts"
import { fieldPathOf } from "./container-paths.ts"
import type { SandboxConfig } from "./sandbox-config.ts"
import type { PodWorkerParts } from "./settings.ts"
import { StartError, callErrorText } from "./start-error.ts"

/** By the volume's name: its image, or why there is none. */
type Pulled = ReadonlyMap<string, Image | StartError>

export interface ImageVolumesContext {
  readonly pod: Readonly<Pod>
  readonly volumes: ReadonlyMap<string, MountedVolume>
  readonly sandboxConfig: SandboxConfig
  readonly parts: PodWorkerParts
  /** Before something that takes long. */
  publish(signal: AbortSignal): Promise<void>
}

/** Of one round of starts in a pod: each image is asked for once. */
export class ImageVolumes {
  readonly #context: ImageVolumesContext
  #pulled: Promise<Pulled> | undefined

  constructor(context: ImageVolumesContext) {
    this.#context = context
  }

  /** The pod's volumes, those of images ready for the container. Throws a {@link StartError}. */
  async volumesFor(
    container: Readonly<Container>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, MountedVolume>> {
    const { pod, volumes, parts } = this.#context
    if (!pod.spec.volumes?.some(({ image }) => image)) return volumes
    const pulled = await (this.#pulled ??= this.#pullAll(signal))
    const subject = partOf(pod, fieldPathOf(pod, container.name))
    const mounted = new Map(volumes)
    let failure: StartError | undefined
    for (const { name } of container.volumeMounts ?? []) {
      const image = pulled.get(name)
      if (image instanceof StartError) {
        parts.events.event(subject, "Warning", "Failed", `Error: ${image.reason}`)
        failure = image
      } else if (image && !failure) {
        mounted.set(name, {
          ...volumes.get(name)!,
          hostPath: await this.#mount(container, name, image, signal),
        })
      }
    }
    if (failure) throw failure
    return mounted
  }

  async #pullAll(signal: AbortSignal): Promise<Pulled> {
    const { pod, parts, sandboxConfig, publish } = this.#context
    const { images } = parts
    const pulled = new Map<string, Image | StartError>()
    for (const { name, image } of pod.spec.volumes ?? []) {
      if (!image) continue
      const wanted = { name: image.reference ?? "", policy: image.pullPolicy }
      if (await images.needsPull(wanted, signal)) await publish(signal)
      try {
        pulled.set(name, await images.ensure({ ...wanted, pod, subject: pod, sandboxConfig }, signal))
      } catch (thrown) {
        if (!(thrown instanceof StartError)) throw thrown
        pulled.set(name, thrown)
      }
    }
    return pulled
  }

  async #mount(
    container: Readonly<Container>,
    volume: string,
    image: Image,
    signal: AbortSignal,
  ): Promise<string> {
    const { pod, parts } = this.#context
    try {
      return await parts.volumes.mountImage(pod.metadata.uid, volume, image.id, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      const reference = pod.spec.volumes?.find(({ name }) => name === volume)?.image?.reference
      const message = `ImageVolumeMountFailed: failed to mount image "${reference}" of volume "${volume}": ${callErrorText(thrown)}`
      const subject = partOf(pod, fieldPathOf(pod, container.name))
      parts.events.event(subject, "Warning", "Failed", `Error: ${message}`)
      throw new StartError("CreateContainerError", message, undefined, { cause: thrown })
    }
  }
}
