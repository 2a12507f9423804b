/**
 * A ConfigMap's keys as files.
 * Mirrors: pkg/volume/configmap/configmap.go
 */
import { mountPayload } from "../mount-payload.ts"
import { configMapPayload } from "../payload.ts"
import { defineVolume, type VolumePlugin } from "../volume.ts"

export const configMapVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/configmap",
  canSupport: ({ volume }) => volume?.configMap !== undefined,
  publish: (context) => mountPayload(configMapVolume, context, "disk"),
  async payload({ pod, spec, reader, signal }) {
    const { name = "", items, optional = false, defaultMode = 0o644, defaultUser } = spec.volume!.configMap!
    const configMap = await reader.configMap(pod.metadata.namespace!, name, signal)
    if (!configMap && !optional) throw new Error(`configmap "${name}" not found`)
    return configMapPayload(configMap, { items, optional, defaultMode, defaultUser })
  },
  references: ({ volume }) => ({ configMaps: [volume!.configMap!.name ?? ""] }),
})
