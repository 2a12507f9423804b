/**
 * Several sources in one folder: the service account token, trust bundles and the pod's own certificates among them.
 * Mirrors: pkg/volume/projected/projected.go
 */
import type { VolumeProjection } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { aggregate, downwardPayload } from "../downward.ts"
import { mountPayload } from "../mount-payload.ts"
import { configMapPayload, secretPayload, type Payload, type PayloadFile } from "../payload.ts"
import { defineVolume, fsGroupOf, fsUserOf, type VolumeContext, type VolumePlugin } from "../volume.ts"

export const projectedVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/projected",
  canSupport: ({ volume }) => volume?.projected !== undefined,
  publish: (context) => mountPayload(projectedVolume, context, "memory"),
  async payload(context) {
    const { projected } = context.spec.volume!
    const parts = await Promise.all(
      (projected!.sources ?? []).map(async (source, index): Promise<Payload | Error> => {
        try {
          return await project(source, index, context)
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
    let [tokens, trustBundles, certificates] = [false, false, false]
    for (const source of volume!.projected!.sources ?? []) {
      if (source.secret?.name) secrets.push(source.secret.name)
      if (source.configMap?.name) configMaps.push(source.configMap.name)
      tokens ||= source.serviceAccountToken !== undefined
      trustBundles ||= source.clusterTrustBundle !== undefined
      certificates ||= source.podCertificate !== undefined
    }
    return { secrets, configMaps, tokens, trustBundles, certificates }
  },
})

async function project(
  source: Readonly<VolumeProjection>,
  index: number,
  context: VolumeContext,
): Promise<Payload> {
  const { pod, spec, reader, signal, allocatable } = context
  const namespace = pod.metadata.namespace!
  const { defaultMode = 0o644, defaultUser } = spec.volume!.projected!
  const defaults = { defaultMode, defaultUser }
  /** A file for the pod alone; its group gets access together with the ownership. */
  const owned = (text: string, own: number | undefined): PayloadFile => {
    const user = own ?? defaultUser ?? fsUserOf(pod)
    const mode = user !== undefined || fsGroupOf(pod) !== undefined ? 0o600 : defaultMode
    return { data: Buffer.from(text), mode, user }
  }
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
    return new Map([[path, owned(token, own)]])
  }
  if (source.clusterTrustBundle) {
    const { path, user } = source.clusterTrustBundle
    return new Map([[path, owned(await reader.trustAnchors(source.clusterTrustBundle, signal), user)]])
  }
  if (source.podCertificate) {
    const { credentialBundlePath, keyPath, certificateChainPath, user } = source.podCertificate
    const { key, chain } = await reader.podCertificate(pod, spec.volume!.name, index, signal)
    const out: Payload = new Map()
    for (const [path, text] of [
      [credentialBundlePath, key + chain],
      [keyPath, key],
      [certificateChainPath, chain],
    ] as const)
      if (path) out.set(path, owned(text, user))
    return out
  }
  return new Map()
}
