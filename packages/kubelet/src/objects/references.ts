/**
 * Which Secrets, ConfigMaps and trust bundles a pod refers to.
 * Mirrors: pkg/api/v1/pod/util.go (VisitPodSecretNames, VisitPodConfigmapNames)
 */
import type { Container, Pod } from "@knarr/api"

export interface PodReferences {
  readonly secrets: ReadonlySet<string>
  readonly configMaps: ReadonlySet<string>
  /** Whether one of its volumes shows ClusterTrustBundles. */
  readonly trustBundles: boolean
}

export function podReferences(pod: Readonly<Pod>): PodReferences {
  const secrets = new Set<string>()
  const configMaps = new Set<string>()
  const note = (set: Set<string>, name: string | undefined): void => {
    if (name) set.add(name)
  }
  let trustBundles = false
  const { spec } = pod
  for (const reference of spec.imagePullSecrets ?? []) note(secrets, reference.name)
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
  for (const container of containers as readonly Container[]) {
    for (const from of container.envFrom ?? []) {
      note(secrets, from.secretRef?.name)
      note(configMaps, from.configMapRef?.name)
    }
    for (const { valueFrom } of container.env ?? []) {
      note(secrets, valueFrom?.secretKeyRef?.name)
      note(configMaps, valueFrom?.configMapKeyRef?.name)
    }
  }
  for (const volume of spec.volumes ?? []) {
    note(secrets, volume.secret?.secretName)
    note(configMaps, volume.configMap?.name)
    for (const source of volume.projected?.sources ?? []) {
      note(secrets, source.secret?.name)
      note(configMaps, source.configMap?.name)
      trustBundles ||= source.clusterTrustBundle !== undefined
    }
  }
  return { secrets, configMaps, trustBundles }
}
