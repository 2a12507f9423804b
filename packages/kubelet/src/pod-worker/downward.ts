/**
 * Fields of the pod and resources of its containers as text.
 * Mirrors: pkg/fieldpath/fieldpath.go, pkg/api/v1/resource/helpers.go
 */
import type { Container, Pod } from "@knarr/api"
import { parseQuantity } from "@knarr/apimachinery"

/** What the node adds to the pod's own fields. */
export interface DownwardContext {
  readonly nodeName: string
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
  /** Stands for limits that a container does not have. */
  readonly allocatable: Readonly<Record<string, string>>
}

/** The value of a `fieldRef`. Throws for a path that the API would not accept. */
export function fieldValue(pod: Readonly<Pod>, path: string, context: DownwardContext): string {
  switch (path) {
    case "spec.nodeName":
      return pod.spec.nodeName ?? context.nodeName
    case "spec.serviceAccountName":
      return pod.spec.serviceAccountName ?? ""
    case "status.hostIP":
      return context.hostIPs[0] ?? ""
    case "status.hostIPs":
      return context.hostIPs.join(",")
    case "status.podIP":
      return context.podIPs[0] ?? ""
    case "status.podIPs":
      return context.podIPs.join(",")
    case "metadata.name":
      return pod.metadata.name
    case "metadata.namespace":
      return pod.metadata.namespace ?? ""
    case "metadata.uid":
      return pod.metadata.uid
    case "metadata.annotations":
      return mapText(pod.metadata.annotations)
    case "metadata.labels":
      return mapText(pod.metadata.labels)
  }
  const subscript = /^metadata\.(annotations|labels)\['(.+)'\]$/.exec(path)
  if (subscript) return pod.metadata[subscript[1] as "annotations" | "labels"]?.[subscript[2]!] ?? ""
  throw new Error(`unsupported fieldPath: ${path}`)
}

function mapText(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${JSON.stringify(map![key])}`)
    .join("\n")
}

/** The value of a `resourceFieldRef`: whole multiples of the divisor, rounded up. */
export function resourceValue(
  container: Readonly<Container>,
  resource: string,
  divisorText: string | undefined,
  context: DownwardContext,
): string {
  const dot = resource.indexOf(".")
  const side = resource.slice(0, dot)
  const name = resource.slice(dot + 1)
  if (side !== "limits" && side !== "requests")
    throw new Error(`unsupported container resource : ${resource}`)
  const divisor = !divisorText || divisorText === "0" ? "1" : divisorText
  const own = container.resources?.[side]?.[name]
  const amount =
    own ?? (side === "limits" ? context.allocatable[name] : container.resources?.limits?.[name]) ?? "0"
  const milli = name === "cpu"
  const value = parseQuantity(amount)
  const unit = parseQuantity(divisor)
  const quotient = milli ? value.milliValue() / unit.milliValue() : value.value() / unit.value()
  return String(Math.ceil(quotient))
}
