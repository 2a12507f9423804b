/** A volume that cannot be reclaimed. Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (updateVolumePhaseWithEvent) */
import { volumePhaseStep } from "./bind-steps.ts"
import type { BinderState, ReadonlyVolume } from "./binder-state.ts"

/** Says once, on the volume, that it cannot be reclaimed. */
export async function failVolume(
  volume: ReadonlyVolume,
  reason: string,
  message: string,
  state: BinderState,
): Promise<void> {
  if (volume.status.phase === "Failed") return
  const failed = await state.perform(volume, undefined, (one) => volumePhaseStep(one, "Failed", message))
  state.record(failed.volume, { type: "Warning", reason, message })
}
