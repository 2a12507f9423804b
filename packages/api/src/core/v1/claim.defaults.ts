/** Defaults of volume claims, alone or in a template. Mirrors: pkg/apis/core/v1/defaults.go */
import { roundUpRequirements, roundUpResources } from "./quantities.defaults.ts"
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "./types.gen.ts"

export function setClaimSpecDefaults(spec: PersistentVolumeClaimSpec): void {
  spec.volumeMode ??= "Filesystem"
  spec.resources ??= {}
  roundUpRequirements(spec.resources)
}

export function setClaimDefaults(claim: PersistentVolumeClaim): void {
  claim.spec ??= {}
  claim.status ??= {}
  claim.status.phase ||= "Pending"
  setClaimSpecDefaults(claim.spec)
  roundUpResources(claim.status.capacity)
  roundUpResources(claim.status.allocatedResources)
}
