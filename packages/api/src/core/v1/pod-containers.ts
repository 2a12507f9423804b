/** The containers of a pod in the order in which Kubernetes visits them. Mirrors: pkg/apis/core/pods/helpers.go */
import type { Container, EphemeralContainer, PodSpec } from "./types.gen.ts"

/** Every container with its path below `path`: init containers, containers, ephemeral containers. */
export function containersOf(
  path: string,
  spec: Readonly<PodSpec>,
): [path: string, container: Container | EphemeralContainer][] {
  return (["initContainers", "containers", "ephemeralContainers"] as const).flatMap((name) =>
    (spec[name] ?? []).map((container, i): [string, Container | EphemeralContainer] => [
      `${path}.${name}[${i}]`,
      container,
    ]),
  )
}
