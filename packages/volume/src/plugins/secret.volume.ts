/**
 * A Secret's keys as files, in memory.
 * Mirrors: pkg/volume/secret/secret.go
 */
import { mountPayload } from "../mount-payload.ts"
import { secretPayload } from "../payload.ts"
import { defineVolume, type VolumePlugin } from "../volume.ts"

export const secretVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/secret",
  canSupport: ({ volume }) => volume?.secret !== undefined,
  publish: (context) => mountPayload(secretVolume, context, "memory"),
  async payload({ pod, spec, reader, signal }) {
    const {
      secretName = "",
      items,
      optional = false,
      defaultMode = 0o644,
      defaultUser,
    } = spec.volume!.secret!
    const secret = await reader.secret(pod.metadata.namespace!, secretName, signal)
    if (!secret && !optional) throw new Error(`secret "${secretName}" not found`)
    return secretPayload(secret, { items, optional, defaultMode, defaultUser })
  },
  references: ({ volume }) => ({ secrets: [volume!.secret!.secretName ?? ""] }),
})
