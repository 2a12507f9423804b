/**
 * Several sources in one folder: the service account token among them.
 * Mirrors: pkg/volume/projected/projected.go
 */
import type { VolumeProjection } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { aggregate, downwardPayload } from "../downward.ts"
import { mountPayload } from "../mount-payload.ts"
import { configMapPayload, secretPayload, type Payload } from "../payload.ts"
import { defineVolume, fsGroupOf, fsUserOf, type VolumeContext, type VolumePlugin } from "../volume.ts"

export const projectedVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/projected",
  canSupport: ({ volume }) => volume?.projected !== undefined,
  publish: (context) => mountPayload(projectedVolume, context, "memory"),
  async payload(context) {
    const { projected } = context.spec.volume!
    const parts = await Promise.all(
      (projected!.sources ?? []).map(async (source): Promise<Payload | Error> => {
        try {
          return await project(source, context)
        } catch (thrown) {
          context.signal.throwIfAborted()
          return new Error(messageOf(thrown))
        }
      }),
    )
    const problems = parts.filter((part) => part instanceof Error)
    if (problems.length > 0) throw new Error(aggregate(problems.map((problem) => problem.message)))
    const out: Payload = new Map()
    for (const part of parts as Payload[]) for (const [path, file] of part) out.set(path, file)
    return out
  },
  references({ volume }) {
    const secrets: string[] = []
    const configMaps: string[] = []
    let tokens = false
    for (const source of volume!.projected!.sources ?? []) {
      if (source.secret?.name) secrets.push(source.secret.name)
      if (source.configMap?.name) configMaps.push(source.configMap.name)
      tokens ||= source.serviceAccountToken !== undefined
    }
    return { secrets, configMaps, tokens }
  },
})

async function project(source: Readonly<VolumeProjection>, context: VolumeContext): Promise<Payload> {
  const { pod, spec, reader, signal, allocatable } = context
  const namespace = pod.metadata.namespace!
  const { defaultMode = 0o644, defaultUser } = spec.volume!.projected!
  const defaults = { defaultMode, defaultUser }
  if (source.secret) {
    const { name = "", items, optional = false } = source.secret
    const secret = await reader.secret(namespace, name, signal)
    if (!secret && !optional) throw new Error(`secret "${name}" not found`)
    return secretPayload(secret, { items, optional, ...defaults })
  }
  if (source.configMap) {
    const { name = "", items, optional = false } = source.configMap
    const configMap = await reader.configMap(namespace, name, signal)
    if (!configMap && !optional) throw new Error(`configmap "${name}" not found`)
    return configMapPayload(configMap, { items, optional, ...defaults })
  }
  if (source.downwardAPI) return downwardPayload(pod, source.downwardAPI.items, { ...defaults, allocatable })
  if (source.serviceAccountToken) {
    const { audience, expirationSeconds = 3600, path, user: own } = source.serviceAccountToken
    const token = await reader.serviceAccountToken(pod, audience, expirationSeconds, signal)
    const user = own ?? defaultUser ?? fsUserOf(pod)
    // The token is for the pod alone; its group gets access together with the ownership.
    const mode = user !== undefined || fsGroupOf(pod) !== undefined ? 0o600 : defaultMode
    return new Map([[path, { data: Buffer.from(token), mode, user }]])
  }
  if (source.clusterTrustBundle)
    throw new Error("ClusterTrustBundle projection is not supported by this node")
  if (source.podCertificate) throw new Error("PodCertificate projection is not supported by this node")
  return new Map()
}
