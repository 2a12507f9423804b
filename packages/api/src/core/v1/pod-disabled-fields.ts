/**
 * Fields of features that this release has off by default: they are dropped when a pod or template is written.
 * Mirrors: pkg/api/pod/util.go (DropDisabledPodFields)
 */
import type { Container, EphemeralContainer, PodSpec } from "./types.gen.ts"

type Loose = Record<string, unknown>

export function dropDisabledFields(spec: PodSpec): void {
  drop(spec, "schedulingGroup")
  drop(spec, "evictionResponders")
  for (const volume of spec.volumes ?? []) if (volume.emptyDir) drop(volume.emptyDir, "mode")
  for (const list of [spec.initContainers, spec.containers, spec.ephemeralContainers])
    for (const container of list ?? []) dropInContainer(container)
}

function dropInContainer(container: Container | EphemeralContainer): void {
  if (container.lifecycle) drop(container.lifecycle, "stopSignal")
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container
  for (const handler of [
    livenessProbe,
    readinessProbe,
    startupProbe,
    lifecycle?.postStart,
    lifecycle?.preStop,
  ]) {
    if (handler?.httpGet) drop(handler.httpGet, "protocol")
    const grpc = (handler as { grpc?: object } | undefined)?.grpc
    if (grpc) drop(grpc, "mode")
  }
  for (const mount of container.volumeMounts ?? []) drop(mount, "bindMountOptions")
}

function drop(from: object, name: string): void {
  if ((from as Loose)[name] !== undefined) delete (from as Loose)[name]
}
