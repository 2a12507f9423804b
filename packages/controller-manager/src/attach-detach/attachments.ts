/** What one run of the attach-detach controller knows beside its informers. */
import { volumeAttachment, type Creatable, type VolumeAttachment } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import type { ReconcileContext } from "@knarr/controller-kit"

type Attachment = Readonly<VolumeAttachment>

/** Index of attachments by the PersistentVolume that they bring. */
export const attachmentVolumeIndex = {
  kind: volumeAttachment,
  name: "volume",
  fn: ({ spec }: VolumeAttachment): readonly string[] => [spec.source.persistentVolumeName ?? ""],
}

/** Index of attachments by node. */
export const attachmentNodeIndex = {
  kind: volumeAttachment,
  name: "node",
  fn: ({ spec }: VolumeAttachment): readonly string[] => [spec.nodeName],
}

export class Attachments {
  readonly #ctx: ReconcileContext
  /** By name, until the informer has them: made by this run. */
  readonly #created = new Map<string, Attachment>()
  /** By uid: since when they are not wanted, ms. As long as they exist and are not. */
  readonly #unwanted = new Map<string, number>()
  /** Uids of those whose success was told, as long as they exist. */
  readonly announced: Set<string> = new Set()
  /** Uids of those that are being let go: their nodes do not report them any more. */
  readonly leaving: Set<string> = new Set()
  /** By volume: nodes whose pods were told that it is busy elsewhere. */
  readonly #said = new Map<string, Set<string>>()

  constructor(ctx: ReconcileContext) {
    this.#ctx = ctx
  }

  async create(attachment: Creatable<VolumeAttachment>): Promise<void> {
    const { client, signal } = this.#ctx
    const created = await client.create(volumeAttachment, attachment, { signal })
    this.#created.set(created.metadata.name, created)
  }

  /** All of the volume's. What was made here and the informer does not have yet, the API is asked for. */
  async ofVolume(name: string): Promise<readonly Attachment[]> {
    const { cache, client, signal } = this.#ctx
    const seen = cache.byIndex(volumeAttachment, attachmentVolumeIndex.name, name)
    const out = [...seen]
    for (const created of [...this.#created.values()]) {
      if (created.spec.source.persistentVolumeName !== name) continue
      const ref = { name: created.metadata.name }
      const known = seen.some(({ metadata }) => metadata.name === ref.name)
      const found = known
        ? undefined
        : await client.get(volumeAttachment, ref, { signal }).catch((thrown: unknown) => {
            if (!isNotFound(thrown)) throw thrown
            return undefined
          })
      if (found) out.push(found)
      else this.#created.delete(ref.name)
    }
    return out
  }

  /** Since when the attachment is not wanted; from now, when this is the first time that somebody asks. */
  unwantedSinceMs({ metadata }: Attachment): number {
    const known = this.#unwanted.get(metadata.uid)
    if (known !== undefined) return known
    const now = this.#ctx.clock.now()
    this.#unwanted.set(metadata.uid, now)
    return now
  }

  wantAgain({ metadata }: Attachment): void {
    this.#unwanted.delete(metadata.uid)
  }

  forget({ metadata }: Attachment): void {
    this.#unwanted.delete(metadata.uid)
    this.announced.delete(metadata.uid)
    this.leaving.delete(metadata.uid)
  }

  isSaid(volume: string, nodeName: string): boolean {
    return this.#said.get(volume)?.has(nodeName) ?? false
  }

  say(volume: string, nodeName: string): void {
    const said = this.#said.get(volume)
    if (said) said.add(nodeName)
    else this.#said.set(volume, new Set([nodeName]))
  }

  /** Keeps what was said for nodes that still want the volume and have it not. */
  keepSaid(volume: string, isWaiting: (nodeName: string) => boolean): void {
    const said = this.#said.get(volume)
    if (!said) return
    for (const nodeName of said) if (!isWaiting(nodeName)) said.delete(nodeName)
    if (said.size === 0) this.#said.delete(volume)
  }
}
