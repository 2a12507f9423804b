/** Defaults of device requests. Mirrors: pkg/apis/resource/v1/defaults.go */
import type { ResourceClaimSpec } from "./types.gen.ts"

export function setClaimSpecDefaults(spec: ResourceClaimSpec): void {
  for (const { exactly, firstAvailable } of spec.devices?.requests ?? []) {
    for (const request of [...(exactly ? [exactly] : []), ...(firstAvailable ?? [])]) {
      request.allocationMode ||= "ExactCount"
      if (request.allocationMode === "ExactCount") request.count ||= 1
    }
  }
}
