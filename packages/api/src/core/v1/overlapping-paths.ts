/** Files of one volume that would lie on each other. Mirrors: pkg/api/pod/warnings.go (warningsForOverlappingVirtualPaths) */
import { goQuote } from "@knarr/apimachinery"
import { trimEndOf } from "@knarr/base"
import type { Volume, VolumeProjection } from "./types.gen.ts"

interface FilePath {
  readonly path: string
  /** Where it comes from, in a projected volume; "" elsewhere. */
  readonly source: string
}

type Items = readonly { readonly path: string }[] | undefined

export function overlappingPathWarnings(volumes: readonly Volume[] | undefined): string[] {
  const out: string[] = []
  for (const volume of volumes ?? []) {
    const { name, configMap, secret, downwardAPI, projected } = volume
    const warn = (what: string, overlaps: readonly string[]): void => {
      for (const overlap of overlaps)
        out.push(`volume ${goQuote(name)} (${what}): overlapping paths: ${overlap}`)
    }
    if (configMap) warn(`ConfigMap ${goQuote(configMap.name ?? "")}`, overlapsOf([files(configMap.items)]))
    if (secret) warn(`Secret ${goQuote(secret.secretName ?? "")}`, overlapsOf([files(secret.items)]))
    if (downwardAPI) warn("DownwardAPI", overlapsOf([files(downwardAPI.items)]))
    if (!projected) continue
    const sources = projected.sources ?? []
    for (const source of sources)
      if (Object.keys(source).length === 0)
        out.push(`volume ${goQuote(name)} (Projected) has no sources provided`)
    warn("Projected", overlapsOf(sources.map(filesOf)))
  }
  return out
}

function files(items: Items, source = ""): FilePath[] {
  return (items ?? []).map(({ path }) => ({ path, source }))
}

function filesOf(source: VolumeProjection): FilePath[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source
  if (configMap?.items) return files(configMap.items, `ConfigMap ${goQuote(configMap.name ?? "")}`)
  if (secret?.items) return files(secret.items, `Secret ${goQuote(secret.name ?? "")}`)
  if (downwardAPI?.items) return files(downwardAPI.items, "DownwardAPI")
  if (serviceAccountToken) return files([serviceAccountToken], "ServiceAccountToken")
  if (clusterTrustBundle) {
    const name = clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? ""
    return files([clusterTrustBundle], `ClusterTrustBundle ${goQuote(name)}`)
  }
  if (!podCertificate) return []
  const named: [path: string | undefined, what: string][] = [
    [podCertificate.certificateChainPath, "chain"],
    [podCertificate.keyPath, "key"],
    [podCertificate.credentialBundlePath, "credential bundle"],
  ]
  return named.flatMap(([path, what]) => (path ? [{ path, source: `PodCertificate ${what}` }] : []))
}

function textOf({ path, source }: FilePath): string {
  return source === "" ? goQuote(path) : `${goQuote(path)} (${source})`
}

/** Pairs of files of which one is, or lies below, the other; the later first. */
function overlapsOf(lists: readonly (readonly FilePath[])[]): string[] {
  const out: string[] = []
  const seen: FilePath[] = []
  for (const item of lists.flat()) {
    const file = { ...item, path: trimEndOf(item.path, "/") }
    if (file.path !== "")
      for (const other of seen) {
        if (other.path === "") continue
        const [a, b] = [`${file.path}/`, `${other.path}/`]
        if (a.startsWith(b) || b.startsWith(a)) out.push(`${textOf(file)} with ${textOf(other)}`)
      }
    seen.push(file)
  }
  return out
}
