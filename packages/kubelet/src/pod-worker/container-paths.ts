/** Where a container is in its pod's spec. Mirrors: pkg/kubelet/container/ref.go */
import type { Container, Pod } from "@knarr/api"

/** `spec.containers{app}`, as events name it. */
export function fieldPathOf(pod: Readonly<Pod>, name: string): string {
  const has = (list: readonly { readonly name: string }[] | undefined): boolean =>
    list?.some((container) => container.name === name) === true
  if (has(pod.spec.initContainers)) return `spec.initContainers{${name}}`
  if (has(pod.spec.ephemeralContainers)) return `spec.ephemeralContainers{${name}}`
  return `spec.containers{${name}}`
}

/** The container of that name, of whatever sort. */
export function containerNamed(pod: Readonly<Pod>, name: string): Readonly<Container> | undefined {
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec
  return [...containers, ...initContainers, ...(ephemeralContainers as readonly Container[])].find(
    (container) => container.name === name,
  )
}

/** The link by which collectors of logs find the container's log. */
export function legacyLogLink(
  dir: string,
  pod: { readonly name: string; readonly namespace: string },
  container: string,
  containerId: string,
): string {
  return `${dir}/${pod.name}_${pod.namespace}_${container}-${containerId}.log`
}
