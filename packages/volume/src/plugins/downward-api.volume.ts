/**
 * What the pod's own object says, as files.
 * Mirrors: pkg/volume/downwardapi/downwardapi.go
 */
import { downwardPayload } from "../downward.ts"
import { mountPayload } from "../mount-payload.ts"
import { defineVolume, type VolumePlugin } from "../volume.ts"

export const downwardAPIVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/downward-api",
  canSupport: ({ volume }) => volume?.downwardAPI !== undefined,
  publish: (context) => mountPayload(downwardAPIVolume, context, "memory"),
  async payload({ pod, spec, allocatable }) {
    const { items, defaultMode = 0o644, defaultUser } = spec.volume!.downwardAPI!
    return downwardPayload(pod, items, { defaultMode, defaultUser, allocatable })
  },
  references: () => ({}),
})
