/**
 * Fields of features that this release has off by default: they are dropped when a pod or template is written.
 * Mirrors: pkg/api/pod/util.go (DropDisabledPodFields)
 */
import type { Container, EphemeralContainer, PodSpec, Volume } from "./types.gen.ts"

type Loose = Record<string, unknown>

export function dropDisabledFields(spec: PodSpec): void {
  drop(spec, "schedulingGroup")
  drop(spec, "evictionResponders")
  for (const volume of spec.volumes ?? []) dropInVolume(volume)
  for (const list of [spec.initContainers, spec.containers, spec.ephemeralContainers])
    for (const container of list ?? []) dropInContainer(container)
}

/** Whose the files of a volume are. */
function dropInVolume({ emptyDir, secret, configMap, downwardAPI, projected }: Volume): void {
  if (emptyDir) drop(emptyDir, "mode")
  for (const source of [secret, configMap, downwardAPI, projected]) if (source) drop(source, "defaultUser")
  dropInItems(secret, configMap, downwardAPI)
  for (const source of projected?.sources ?? []) {
    dropInItems(source.secret, source.configMap, source.downwardAPI)
    for (const file of [source.serviceAccountToken, source.clusterTrustBundle, source.podCertificate])
      if (file) drop(file, "user")
  }
}

function dropInItems(
  ...sources: readonly ({ readonly items?: readonly object[] | undefined } | undefined)[]
): void {
  for (const source of sources) for (const item of source?.items ?? []) drop(item, "user")
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
