/** `describe pv|pvc|storageclass`. Mirrors: kubectl pkg/describe/describe.go */
import { at, type Obj } from "../object.ts"
import { labelsText } from "./workloads.ts"
import { describeVolumeSource } from "./volumes.ts"
import { describeMeta, goSlice, rfc1123, type DescribeContext } from "./writer.ts"

const modeNames: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
}

function modes(list: unknown): string {
  const given = (list ?? []) as string[]
  return Object.keys(modeNames)
    .filter((mode) => given.includes(mode))
    .map((mode) => modeNames[mode])
    .join(",")
}

function finalizers(obj: Obj): string {
  return `[${((obj["metadata"].finalizers ?? []) as string[]).join(" ")}]`
}

function terminating(d: DescribeContext, obj: Obj): string {
  return `Terminating (lasts ${d.w.since(obj["metadata"].deletionTimestamp)})`
}

export async function describePersistentVolume(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { spec, status = {} } = obj as { spec: Obj; status?: Obj }
  describeMeta(d, obj, false)
  w.row(0, "Finalizers", finalizers(obj))
  w.row(
    0,
    "StorageClass",
    obj["metadata"].annotations?.["volume.beta.kubernetes.io/storage-class"] ??
      spec["storageClassName"] ??
      "",
  )
  if (obj["metadata"].deletionTimestamp) w.row(0, "Status", terminating(d, obj))
  else w.row(0, "Status", status["phase"] ?? "")
  const claim = spec["claimRef"] as Obj | undefined
  w.row(0, "Claim", claim ? `${claim["namespace"]}/${claim["name"]}` : "")
  w.row(0, "Reclaim Policy", spec["persistentVolumeReclaimPolicy"] ?? "")
  w.row(0, "Access Modes", modes(spec["accessModes"]))
  if (spec["volumeMode"]) w.row(0, "VolumeMode", spec["volumeMode"])
  w.row(0, "Capacity", at(spec, "capacity", "storage") ?? "0")
  nodeAffinity(d, spec["nodeAffinity"] as Obj | undefined)
  w.row(0, "Message", status["message"] ?? "")
  w.line(0, "Source:")
  describeVolumeSource(w, spec)
  await d.events(obj)
}

function nodeAffinity(d: DescribeContext, affinity: Obj | undefined): void {
  const { w } = d
  w.write(0, "Node Affinity:\t")
  const required = affinity?.["required"] as Obj | undefined
  if (!required) return w.line(0, "<none>")
  w.line(0, "")
  const terms = (required["nodeSelectorTerms"] ?? []) as Obj[]
  w.write(1, "Required Terms:\t")
  if (terms.length === 0) return w.line(0, "<none>")
  w.line(0, "")
  terms.forEach((term, i) => {
    w.write(2, `Term ${i}:\t`)
    const list = (term["matchExpressions"] ?? []) as Obj[]
    if (list.length === 0) return w.line(0, "<none>")
    list.forEach((one, j) => {
      const values = (one["values"] ?? []) as string[]
      const text = `${one["key"]} ${String(one["operator"]).toLowerCase()}${values.length > 0 ? ` [${values.join(", ")}]` : ""}`
      if (j === 0) w.line(0, text)
      else w.line(3, `\t${text}`)
    })
  })
}

export async function describePersistentVolumeClaim(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.row(
    0,
    "StorageClass",
    metadata["annotations"]?.["volume.beta.kubernetes.io/storage-class"] ?? spec["storageClassName"] ?? "",
  )
  if (metadata["deletionTimestamp"]) w.row(0, "Status", terminating(d, obj))
  else w.row(0, "Status", status["phase"] ?? "")
  w.row(0, "Volume", spec["volumeName"] ?? "")
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Finalizers", finalizers(obj))
  const bound = Boolean(spec["volumeName"])
  w.row(0, "Capacity", bound ? (at(status, "capacity", "storage") ?? "0") : "")
  w.row(0, "Access Modes", bound ? modes(status["accessModes"]) : "")
  if (spec["volumeMode"]) w.row(0, "VolumeMode", spec["volumeMode"])
  const source = spec["dataSource"] as Obj | undefined
  if (source) {
    w.line(0, "DataSource:")
    if (source["apiGroup"]) w.row(1, "APIGroup", source["apiGroup"])
    w.row(1, "Kind", source["kind"])
    w.row(1, "Name", source["name"])
  }
  const pods = ((
    await d.api.get(`/api/v1/namespaces/${encodeURIComponent(metadata["namespace"] as string)}/pods`)
  )["items"] ?? []) as Obj[]
  const users = pods.filter((pod) =>
    ((at(pod, "spec", "volumes") ?? []) as Obj[]).some(
      (volume) => at(volume, "persistentVolumeClaim", "claimName") === metadata["name"],
    ),
  )
  if (users.length === 0) w.row(0, "Used By", "<none>")
  else users.forEach((pod, i) => w.line(0, `${i === 0 ? "Used By:" : ""}\t${pod["metadata"].name}`))
  const conditions = (status["conditions"] ?? []) as Obj[]
  if (conditions.length > 0) {
    w.write(0, "Conditions:\n")
    w.line(1, "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage")
    w.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
    for (const one of conditions) {
      w.line(
        1,
        `${one["type"]} \t${one["status"]} \t${rfc1123(one["lastProbeTime"])} \t${rfc1123(one["lastTransitionTime"])} \t${one["reason"] ?? ""} \t${one["message"] ?? ""}`,
      )
    }
  }
  await d.events(obj)
}

export async function describeStorageClass(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata } = obj as { metadata: Obj }
  w.row(0, "Name", metadata["name"])
  const annotations = (metadata["annotations"] ?? {}) as Record<string, string>
  const key = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
  ]
  w.row(0, "IsDefaultClass", key.some((one) => annotations[one] === "true") ? "Yes" : "No")
  w.row(0, "Annotations", labelsText(annotations))
  w.row(0, "Provisioner", obj["provisioner"])
  w.row(0, "Parameters", labelsText(obj["parameters"]))
  w.row(
    0,
    "AllowVolumeExpansion",
    obj["allowVolumeExpansion"] === undefined
      ? "<unset>"
      : obj["allowVolumeExpansion"] === true
        ? "True"
        : "False",
  )
  const options = (obj["mountOptions"] ?? []) as string[]
  if (options.length === 0) w.row(0, "MountOptions", "<none>")
  else {
    w.line(0, "MountOptions:")
    for (const one of options) w.line(1, one)
  }
  w.row(0, "ReclaimPolicy", obj["reclaimPolicy"] ?? "")
  w.row(0, "VolumeBindingMode", obj["volumeBindingMode"] ?? "")
  if (obj["allowedTopologies"]) {
    w.line(0, "AllowedTopologies:\t")
    ;(obj["allowedTopologies"] as Obj[]).forEach((term, i) => {
      w.write(1, `Term ${i}:\t`)
      ;((term["matchLabelExpressions"] ?? []) as Obj[]).forEach((one, j) =>
        w.line(
          j === 0 ? 0 : 1,
          `${j === 0 ? "" : "\t"}${one["key"]} in [${(one["values"] as string[]).join(", ")}]`,
        ),
      )
    })
  }
  await d.events(obj)
}

export async function describeVolumeAttributesClass(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  w.row(0, "Name", obj["metadata"].name)
  w.row(0, "Annotations", labelsText(obj["metadata"].annotations))
  w.row(0, "DriverName", obj["driverName"])
  w.row(0, "Parameters", labelsText(obj["parameters"]))
  await d.events(obj)
}

export async function describeCSINode(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  describeMeta(d, obj, false)
  w.row(0, "CreationTimestamp", rfc1123(obj["metadata"].creationTimestamp))
  w.line(0, "Spec:")
  const drivers = obj["spec"].drivers as Obj[] | undefined
  if (drivers) w.line(1, "Drivers:")
  for (const driver of drivers ?? []) {
    w.line(2, `${driver["name"]}:`)
    w.row(3, "Node ID", driver["nodeID"])
    const count = at(driver, "allocatable", "count")
    if (count !== undefined) {
      w.line(3, "Allocatables:")
      w.row(4, "Count", count)
    }
    if (driver["topologyKeys"]) w.row(3, "Topology Keys", goSlice(driver["topologyKeys"]))
  }
  await d.events(obj)
}
