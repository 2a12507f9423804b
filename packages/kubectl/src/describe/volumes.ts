/** Volumes in descriptions. Mirrors: kubectl pkg/describe/describe.go (describeVolumes) */
import type { Obj } from "../object.ts"
import type { DescribeWriter } from "./writer.ts"

export function describeVolumes(w: DescribeWriter, volumes: readonly Obj[] | undefined, space: string): void {
  if (!volumes?.length) return w.line(0, `${space}Volumes:\t<none>`)
  w.line(0, `${space}Volumes:`)
  for (const volume of volumes) {
    w.line(1, `${space ? " " : ""}${volume["name"]}:`)
    describeVolumeSource(w, volume)
  }
}

type Row = readonly [title: string, value: unknown]

function rows(w: DescribeWriter, type: string, list: readonly Row[]): void {
  w.row(2, "Type", type)
  for (const [title, value] of list) w.row(2, title, value ?? "")
}

const no = (value: unknown): boolean => value === true

/** The source of a volume or of a persistent volume. */
export function describeVolumeSource(w: DescribeWriter, volume: Obj): void {
  const v = volume as Record<string, Obj | undefined>
  if (v["hostPath"]) {
    rows(w, "HostPath (bare host directory volume)", [
      ["Path", v["hostPath"]["path"]],
      ["HostPathType", v["hostPath"]["type"] ?? "<none>"],
    ])
  } else if (v["emptyDir"]) {
    rows(w, "EmptyDir (a temporary directory that shares a pod's lifetime)", [
      ["Medium", v["emptyDir"]["medium"]],
      ["SizeLimit", v["emptyDir"]["sizeLimit"] ?? "<unset>"],
    ])
  } else if (v["secret"]) {
    rows(w, "Secret (a volume populated by a Secret)", [
      ["SecretName", v["secret"]["secretName"]],
      ["Optional", no(v["secret"]["optional"])],
    ])
  } else if (v["configMap"]) {
    rows(w, "ConfigMap (a volume populated by a ConfigMap)", [
      ["Name", v["configMap"]["name"]],
      ["Optional", no(v["configMap"]["optional"])],
    ])
  } else if (v["nfs"]) {
    rows(w, "NFS (an NFS mount that lasts the lifetime of a pod)", [
      ["Server", v["nfs"]["server"]],
      ["Path", v["nfs"]["path"]],
      ["ReadOnly", no(v["nfs"]["readOnly"])],
    ])
  } else if (v["iscsi"]) {
    const { targetPortal, iqn, lun, iscsiInterface, fsType, readOnly } = v["iscsi"]
    rows(
      w,
      "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
      [
        ["TargetPortal", targetPortal],
        ["IQN", iqn],
        ["Lun", lun ?? 0],
        ["ISCSIInterface", iscsiInterface],
        ["FSType", fsType],
        ["ReadOnly", no(readOnly)],
      ],
    )
  } else if (v["persistentVolumeClaim"]) {
    rows(w, "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)", [
      ["ClaimName", v["persistentVolumeClaim"]["claimName"]],
      ["ReadOnly", no(v["persistentVolumeClaim"]["readOnly"])],
    ])
  } else if (v["ephemeral"]) {
    rows(
      w,
      "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
      [],
    )
    const spec = v["ephemeral"]["volumeClaimTemplate"]?.spec as Obj | undefined
    const metadata = v["ephemeral"]["volumeClaimTemplate"]?.metadata as Obj | undefined
    w.row(2, "StorageClass", spec?.["storageClassName"] ?? "")
    w.row(2, "Volume", spec?.["volumeName"] ?? "")
    nested(w, "Labels", metadata?.["labels"], "=")
    nested(w, "Annotations", metadata?.["annotations"], ": ")
    w.row(2, "Capacity", "")
    w.row(2, "Access Modes", "")
    w.row(2, "VolumeMode", spec?.["volumeMode"] ?? "")
  } else if (v["projected"]) describeProjected(w, v["projected"])
  else if (v["downwardAPI"]) {
    rows(w, "DownwardAPI (a volume populated by information about the pod)", [])
    describeDownward(w, v["downwardAPI"])
  } else if (v["csi"]) describeCsi(w, v["csi"])
  else if (v["local"]) {
    rows(w, "LocalVolume (a persistent volume backed by local storage on a node)", [
      ["Path", v["local"]["path"]],
    ])
  } else if (v["image"]) {
    rows(w, "Image (a container image or OCI artifact)", [
      ["Reference", v["image"]["reference"]],
      ["PullPolicy", v["image"]["pullPolicy"]],
    ])
  } else w.line(1, "<unknown>")
}

function describeProjected(w: DescribeWriter, projected: Obj): void {
  rows(w, "Projected (a volume that contains injected data from multiple sources)", [])
  for (const source of (projected["sources"] ?? []) as Record<string, Obj | undefined>[]) {
    const { secret, configMap, downwardAPI, serviceAccountToken } = source
    if (secret) {
      w.row(2, "SecretName", secret["name"])
      w.row(2, "Optional", no(secret["optional"]))
    } else if (downwardAPI) w.row(2, "DownwardAPI", "true")
    else if (configMap) {
      w.row(2, "ConfigMapName", configMap["name"])
      w.row(2, "Optional", no(configMap["optional"]))
    } else if (serviceAccountToken)
      w.row(2, "TokenExpirationSeconds", serviceAccountToken["expirationSeconds"])
  }
}

function describeDownward(w: DescribeWriter, source: Obj): void {
  w.line(2, "Items:")
  for (const item of (source["items"] ?? []) as Record<string, Obj & string>[]) {
    if (item["fieldRef"]) w.line(3, `${item["fieldRef"]["fieldPath"]} -> ${item["path"]}`)
    if (item["resourceFieldRef"]) w.line(3, `${item["resourceFieldRef"]["resource"]} -> ${item["path"]}`)
  }
}

function describeCsi(w: DescribeWriter, csi: Obj): void {
  rows(w, "CSI (a Container Storage Interface (CSI) volume source)", [
    ["Driver", csi["driver"]],
    ["FSType", csi["fsType"]],
  ])
  if (csi["volumeHandle"] !== undefined) w.row(2, "VolumeHandle", csi["volumeHandle"])
  w.row(2, "ReadOnly", no(csi["readOnly"]))
  const attributes = (csi["volumeAttributes"] ?? {}) as Record<string, string>
  const keys = Object.keys(attributes).sort()
  w.write(2, "VolumeAttributes:\t")
  if (keys.length === 0) return w.line(0, "<none>")
  keys.forEach((key, i) => w.line(0, `${i > 0 ? "    \t" : ""}    ${key}=${attributes[key]}`))
}

/** Upstream indents each part of a nested line anew, its value too. */
function nested(
  w: DescribeWriter,
  title: string,
  map: Readonly<Record<string, string>> | undefined,
  between: string,
): void {
  const keys = Object.keys(map ?? {}).sort()
  if (keys.length === 0) return w.row(2, title, "    <none>")
  keys.forEach((key, i) => w.line(2, `${i === 0 ? `${title}:` : ""}\t    ${key}${between}${map![key]}`))
}
