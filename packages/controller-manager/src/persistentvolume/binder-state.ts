/** What one run of the binder knows beside its informers, and how it writes. */
import { persistentVolume, persistentVolumeClaim } from "@knarr/api"
import type { PersistentVolume, PersistentVolumeClaim } from "@knarr/api"
import type { ReconcileContext } from "@knarr/controller-kit"
import type { BinderOptions } from "./binder-options.ts"
import type { Step } from "./bind-steps.ts"
import type { PlannedEvent } from "./claim-plan.ts"
import { OwnWrites } from "./own-writes.ts"
import { Recyclers } from "./recyclers.ts"
import { VolumeOperations } from "./volume-operations.ts"

export type ReadonlyVolume = Readonly<PersistentVolume>
export type ReadonlyClaim = Readonly<PersistentVolumeClaim>

export class BinderState {
  readonly ctx: ReconcileContext
  readonly options: BinderOptions
  /** What is to be looked at again. */
  readonly resync: { readonly afterMs: number }
  readonly volumes: OwnWrites<PersistentVolume> = new OwnWrites(persistentVolume)
  readonly claims: OwnWrites<PersistentVolumeClaim> = new OwnWrites(persistentVolumeClaim)
  readonly operations: VolumeOperations
  readonly recyclers: Recyclers = new Recyclers()

  constructor(ctx: ReconcileContext, options: BinderOptions) {
    this.ctx = ctx
    this.options = options
    this.resync = { afterMs: options.resyncMs ?? 15_000 }
    this.operations = new VolumeOperations(ctx)
  }

  async writeVolume(volume: PersistentVolume, status: boolean): Promise<ReadonlyVolume> {
    const { client, signal } = this.ctx
    const options = status ? { signal, subresource: "status" } : { signal }
    const written = await client.update(persistentVolume, volume, options)
    this.volumes.add(written)
    return written
  }

  async writeClaim(claim: PersistentVolumeClaim, status: boolean): Promise<ReadonlyClaim> {
    const { client, signal } = this.ctx
    const options = status ? { signal, subresource: "status" } : { signal }
    const written = await client.update(persistentVolumeClaim, claim, options)
    this.claims.add(written)
    return written
  }

  /** Writes until nothing is left; answers both as they are then. */
  async perform<V extends ReadonlyVolume | undefined, C extends ReadonlyClaim | undefined>(
    volume: V,
    claim: C,
    next: (volume: V, claim: C) => Step | undefined,
  ): Promise<{ volume: V; claim: C }> {
    for (;;) {
      const step = next(volume, claim)
      if (!step) return { volume, claim }
      if ("volume" in step) volume = (await this.writeVolume(step.volume, step.status)) as V
      else claim = (await this.writeClaim(step.claim, step.status)) as C
    }
  }

  record(regarding: ReadonlyVolume | ReadonlyClaim, { type, reason, message }: PlannedEvent): void {
    this.ctx.recorder.event(regarding, type, reason, message)
  }
}
