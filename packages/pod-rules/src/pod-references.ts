/**
 * The API objects that a pod names, by which its node may read them.
 * Mirrors: pkg/api/v1/pod/util.go, pkg/api/pod/util.go HasAPIObjectReference, dynamic-resource-allocation resourceclaim
 */
import type { Container, EphemeralContainer, PersistentVolume, Pod, Volume } from "@knarr/api"

type ReadonlyPod = Readonly<Pod>

const mirrorAnnotation = "kubernetes.io/config.mirror"

/** The copy of a pod that a node runs from a file of its own. */
export function isMirrorPod(pod: ReadonlyPod): boolean {
  return pod.metadata.annotations?.[mirrorAnnotation] !== undefined
}

function containersOf({ spec }: ReadonlyPod): (Container | EphemeralContainer)[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}

function named(names: Iterable<string | undefined>): Set<string> {
  const out = new Set<string>()
  for (const name of names) if (name) out.add(name)
  return out
}

export function podSecrets(pod: ReadonlyPod): Set<string> {
  const { spec } = pod
  return named([
    ...(spec.imagePullSecrets ?? []).map((ref) => ref.name),
    ...containersOf(pod).flatMap((c) => [
      ...(c.env ?? []).map((e) => e.valueFrom?.secretKeyRef?.name),
      ...(c.envFrom ?? []).map((e) => e.secretRef?.name),
    ]),
    ...(spec.volumes ?? []).flatMap((v) => [
      v.secret?.secretName,
      ...(v.projected?.sources ?? []).map((source) => source.secret?.name),
      v.azureFile?.secretName,
      v.cephfs?.secretRef?.name,
      v.cinder?.secretRef?.name,
      v.flexVolume?.secretRef?.name,
      v.iscsi?.secretRef?.name,
      v.rbd?.secretRef?.name,
      v.scaleIO?.secretRef?.name,
      v.storageos?.secretRef?.name,
      v.csi?.nodePublishSecretRef?.name,
    ]),
  ])
}

export function podConfigMaps(pod: ReadonlyPod): Set<string> {
  return named([
    ...containersOf(pod).flatMap((c) => [
      ...(c.env ?? []).map((e) => e.valueFrom?.configMapKeyRef?.name),
      ...(c.envFrom ?? []).map((e) => e.configMapRef?.name),
    ]),
    ...(pod.spec.volumes ?? []).flatMap((v) => [
      v.configMap?.name,
      ...(v.projected?.sources ?? []).map((source) => source.configMap?.name),
    ]),
  ])
}

/** The claim that is made for a volume of the pod's own. */
export function ephemeralClaimName(pod: ReadonlyPod, volume: Readonly<Volume>): string {
  return `${pod.metadata.name}-${volume.name}`
}

export function podVolumeClaims(pod: ReadonlyPod): Set<string> {
  return named(
    (pod.spec.volumes ?? []).map((v) =>
      v.persistentVolumeClaim
        ? v.persistentVolumeClaim.claimName
        : v.ephemeral
          ? ephemeralClaimName(pod, v)
          : undefined,
    ),
  )
}

/** Claims that the pod names, and those that were made for it. */
export function podResourceClaims({ spec, status }: ReadonlyPod): Set<string> {
  return named([
    ...(spec.resourceClaims ?? []).map((claim) =>
      claim.resourceClaimName !== undefined
        ? claim.resourceClaimName
        : claim.resourceClaimTemplateName !== undefined
          ? status?.resourceClaimStatuses?.find(({ name }) => name === claim.name)?.resourceClaimName
          : undefined,
    ),
    status?.extendedResourceClaimStatus?.resourceClaimName,
  ])
}

interface SecretReference {
  readonly name?: string | undefined
  readonly namespace?: string | undefined
}

/** The secrets that a node needs to mount a volume, as `<namespace>/<name>`. Mirrors: component-helpers VisitPVSecretNames */
export function volumeSecrets({ spec }: Readonly<PersistentVolume>): Set<string> {
  const claimNamespace = spec.claimRef?.namespace ?? ""
  const found = (ref: SecretReference | undefined, fallback = ""): string | undefined =>
    ref?.name ? `${ref.namespace || fallback}/${ref.name}` : undefined
  if (spec.azureFile)
    return named([
      found({ name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace }, claimNamespace),
    ])
  return named([
    found(spec.cephfs?.secretRef, claimNamespace),
    found(spec.flexVolume?.secretRef, claimNamespace),
    found(spec.rbd?.secretRef, claimNamespace),
    found(spec.scaleIO?.secretRef, claimNamespace),
    found(spec.iscsi?.secretRef, claimNamespace),
    found(spec.cinder?.secretRef),
    found(spec.storageos?.secretRef),
    found(spec.csi?.nodePublishSecretRef),
    found(spec.csi?.nodeStageSecretRef),
    found(spec.csi?.nodeExpandSecretRef),
  ])
}

/** Volumes whose content comes from no API object. */
const plainVolumes = new Set([
  "awsElasticBlockStore",
  "azureDisk",
  "cephfs",
  "cinder",
  "downwardAPI",
  "emptyDir",
  "fc",
  "flexVolume",
  "flocker",
  "gcePersistentDisk",
  "gitRepo",
  "hostPath",
  "image",
  "iscsi",
  "nfs",
  "photonPersistentDisk",
  "portworxVolume",
  "quobyte",
  "rbd",
  "scaleIO",
  "storageos",
  "vsphereVolume",
])

const referringVolumes: Readonly<Record<string, string>> = {
  configMap: "configmaps (via configmap volumes)",
  secret: "secrets (via secret volumes)",
  csi: "csidrivers (via CSI volumes)",
  glusterfs: "endpoints (via glusterFS volumes)",
  persistentVolumeClaim: "persistentvolumeclaims",
  ephemeral: "persistentvolumeclaims (via ephemeral volumes)",
  azureFile: "secrets (via azureFile volumes)",
}

const referringSources: Readonly<Record<string, string>> = {
  configMap: "configmaps (via projected volumes)",
  secret: "secrets (via projected volumes)",
  serviceAccountToken: "serviceaccounts (via projected volumes)",
  clusterTrustBundle: "clustertrustbundles",
  podCertificate: "podcertificates",
}

/**
 * What kind of API object the pod refers to, undefined when to none. Throws for a volume that it does not know:
 * that may refer to anything.
 */
export function apiObjectReference(pod: ReadonlyPod): string | undefined {
  if (pod.spec.serviceAccountName) return "serviceaccounts"
  if (podSecrets(pod).size > 0) return "secrets"
  if (podConfigMaps(pod).size > 0) return "configmaps"
  if ((pod.spec.resourceClaims?.length ?? 0) > 0) return "resourceclaims"
  for (const volume of pod.spec.volumes ?? []) {
    const source = sourceOf(volume)
    if (plainVolumes.has(source)) continue
    if (source !== "projected") {
      if (Object.hasOwn(referringVolumes, source)) return referringVolumes[source]
      throw new Error(`unknown volume type for volume  ${JSON.stringify(volume.name)}`)
    }
    for (const part of volume.projected!.sources ?? []) {
      const projection = sourceOf(part)
      if (projection === "downwardAPI") continue
      if (Object.hasOwn(referringSources, projection)) return referringSources[projection]
      throw new Error(`unknown source for projected volume ${JSON.stringify(volume.name)}`)
    }
  }
  return undefined
}

function sourceOf(value: object): string {
  const found = Object.entries(value).find(([key, source]) => key !== "name" && source !== undefined)
  return found?.[0] ?? ""
}
