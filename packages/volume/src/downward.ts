/**
 * What the downward API tells a pod about itself.
 * Mirrors: pkg/fieldpath/fieldpath.go, pkg/api/v1/resource/helpers.go (ExtractResourceValueByContainerName)
 */
import type { Container, DownwardAPIVolumeFile, Pod, ResourceFieldSelector } from "@knarr/api"
import { goQuote, parseQuantity } from "@knarr/apimachinery"
import type { Payload } from "./payload.ts"

/** The text of a field of the pod's metadata, as `fieldRef` names it. Throws for any other path. */
function podMetadataField(pod: Readonly<Pod>, fieldPath: string): string {
  const { metadata } = pod
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/s.exec(fieldPath)
  if (subscript) {
    const map = subscript[1] === "metadata.labels" ? metadata.labels : metadata.annotations
    return map?.[subscript[2]!] ?? ""
  }
  switch (fieldPath) {
    case "metadata.annotations":
      return mapText(metadata.annotations)
    case "metadata.labels":
      return mapText(metadata.labels)
    case "metadata.name":
      return metadata.name
    case "metadata.namespace":
      return metadata.namespace ?? ""
    case "metadata.uid":
      return metadata.uid
  }
  throw new Error(`unsupported fieldPath: ${fieldPath}`)
}

/** A line `key="value"` each, sorted by key. */
function mapText(map: Readonly<Record<string, string>> | undefined): string {
  const keys = Object.keys(map ?? {}).sort((a, b) => (a < b ? -1 : 1))
  return keys.map((key) => `${key}=${goQuote(map![key]!)}`).join("\n")
}

/**
 * The text of a container's limit or request in units of the divisor, rounded up. A limit that is not set is what
 * the node can allocate, of those resources that have such a default.
 */
function containerResourceField(
  pod: Readonly<Pod>,
  selector: Readonly<ResourceFieldSelector>,
  containerName: string,
  allocatable: Readonly<Record<string, string>>,
): string {
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
    (candidate) => candidate.name === containerName,
  )
  if (!container) throw new Error(`container ${containerName} not found`)
  return containerResourceText(container, selector, allocatable)
}

/** As {@link containerResourceField}, of a container at hand. */
function containerResourceText(
  container: Readonly<Pick<Container, "resources">>,
  selector: Readonly<ResourceFieldSelector>,
  allocatable: Readonly<Record<string, string>>,
): string {
  const match = /^(limits|requests)\.(.+)$/.exec(selector.resource)
  const [, side, resource] = match ?? []
  const known = resource && (resource.startsWith("hugepages-") || hasDefault.has(resource))
  if (!known) throw new Error(`unsupported container resource : ${selector.resource}`)
  const own = container.resources?.[side as "limits" | "requests"]?.[resource]
  const isSet = own !== undefined && !parseQuantity(own).isZero()
  const text = isSet ? own : side === "limits" && hasDefault.has(resource) ? allocatable[resource] : undefined
  const quantity = parseQuantity(text ?? "0")
  const divisor = parseQuantity(selector.divisor ?? "0")
  const unit = divisor.isZero() ? parseQuantity("1") : divisor
  const ratio =
    resource === "cpu"
      ? quantity.milliValue() / unit.milliValue()
      : Number(quantity.value()) / Number(unit.value())
  return String(Math.ceil(ratio))
}

const hasDefault: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"])

/** The files of a downward API volume. Problems of several are reported together. */
export function downwardPayload(
  pod: Readonly<Pod>,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  options: {
    readonly defaultMode: number
    readonly defaultUser?: number | undefined
    readonly allocatable: Readonly<Record<string, string>>
  },
): Payload {
  const out: Payload = new Map()
  const problems: string[] = []
  for (const item of items ?? []) {
    try {
      const text = item.fieldRef
        ? podMetadataField(pod, item.fieldRef.fieldPath)
        : item.resourceFieldRef
          ? containerResourceField(
              pod,
              item.resourceFieldRef,
              item.resourceFieldRef.containerName ?? "",
              options.allocatable,
            )
          : undefined
      if (text === undefined) continue
      out.set(item.path.replace(/\/+/g, "/").replace(/^\.\/|\/$/g, ""), {
        data: Buffer.from(text),
        mode: item.mode ?? options.defaultMode,
        user: item.user ?? options.defaultUser,
      })
    } catch (thrown) {
      problems.push((thrown as Error).message)
    }
  }
  if (problems.length > 0) throw new Error(aggregate(problems))
  return out
}

/** Several messages as one: alone as it is, else `[a, b]` without repetitions. */
export function aggregate(messages: readonly string[]): string {
  const unique = [...new Set(messages)]
  return unique.length === 1 ? unique[0]! : `[${unique.join(", ")}]`
}
