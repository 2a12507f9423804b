/** Files of one volume that would lie on each other. Mirrors: pkg/api/pod/warnings.go (warningsForOverlappingVirtualPaths) */
import { goQuote } from "@knarr/apimachinery"
import { trimEndOf } from "@knarr/base"
import { mostWarnings } from "./pod-ports.warnings.ts"
import type { Volume, VolumeProjection } from "./types.gen.ts"

interface FilePath {
  readonly path: string
  /** Where it comes from, in a projected volume; "" elsewhere. */
  readonly source: string
}

/** What is longer than this altogether, and more than are sent when each is cut, is not all told. */
const mostChars = 1_000_000
const fewestWarnings = 32

type Items = readonly { readonly path: string }[] | undefined

export function overlappingPathWarnings(volumes: readonly Volume[] | undefined): string[] {
  const out: string[] = []
  let chars = 0
  for (const volume of volumes ?? []) {
    const { name, configMap, secret, downwardAPI, projected } = volume
    const warn = (what: string, overlaps: Iterable<string>): void => {
      for (const overlap of overlaps) {
        if (out.length >= mostWarnings || (chars > mostChars && out.length >= fewestWarnings)) return
        const text = `volume ${goQuote(name)} (${what}): overlapping paths: ${overlap}`
        out.push(text)
        chars += text.length
      }
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

/** Files by the parts of their paths; numbers are their places in the order of all. */
interface Directory {
  readonly entries: Map<string, Directory>
  /** Files of just this path. */
  readonly here: number[]
  /** Files further down. */
  readonly below: number[]
}

function directory(): Directory {
  return { entries: new Map(), here: [], below: [] }
}

/** Pairs of files of which one is, or lies below, the other; the later first. */
function* overlapsOf(lists: readonly (readonly FilePath[])[]): Generator<string> {
  const files = lists.flat().map((file) => ({ ...file, path: trimEndOf(file.path, "/") }))
  const root = directory()
  for (const [at, file] of files.entries()) {
    if (file.path === "") continue
    const others: number[][] = []
    const through: Directory[] = []
    let place = root
    for (const part of file.path.split("/")) {
      if (place.here.length > 0) others.push(place.here)
      through.push(place)
      let next = place.entries.get(part)
      if (!next) place.entries.set(part, (next = directory()))
      place = next
    }
    others.push(place.here, place.below)
    const found = others.flat().sort((a, b) => a - b)
    for (const other of found) yield `${textOf(file)} with ${textOf(files[other]!)}`
    for (const above of through) above.below.push(at)
    place.here.push(at)
  }
}
