/** `describe` of deployments, replica sets, daemon sets, stateful sets. Mirrors: kubectl pkg/describe/describe.go */
import { controllerOf, formatLabelSelector, isControlledBy, jsonEqual, jsonClone } from "@knarr/apimachinery"
import type { ApiClient } from "../api-client.ts"
import { at, type Obj } from "../object.ts"
import { describePodTemplate } from "./pod-template.ts"
import { rfc1123, type DescribeContext } from "./writer.ts"

async function ownedBy(api: ApiClient, owner: Obj, path: string): Promise<Obj[]> {
  const namespace = encodeURIComponent(owner["metadata"].namespace as string)
  const selector = owner["spec"].selector as Obj
  const isPlain = owner["kind"] === "ReplicationController"
  const labelSelector = isPlain
    ? Object.entries(selector)
        .map(([key, value]) => `${key}=${value as string}`)
        .join(",")
    : formatLabelSelector(selector)
  const list = await api.get(path.replace("{ns}", namespace), { labelSelector })
  return ((list["items"] ?? []) as Obj[]).filter((item) =>
    isControlledBy(item as { metadata: object }, owner as { metadata: object }),
  )
}

async function podStatus(d: DescribeContext, owner: Obj): Promise<string> {
  const pods = await ownedBy(d.api, owner, "/api/v1/namespaces/{ns}/pods")
  const count = (phase: string): number => pods.filter((pod) => at(pod, "status", "phase") === phase).length
  return `${count("Running")} Running / ${count("Pending")} Waiting / ${count("Succeeded")} Succeeded / ${count("Failed")} Failed`
}

function controlledBy(d: DescribeContext, obj: Obj): void {
  const owner = controllerOf(obj as { metadata: object })
  if (owner) d.w.row(0, "Controlled By", `${owner.kind}/${owner.name}`)
}

function conditions(d: DescribeContext, obj: Obj, withReason = true): void {
  const list = (at(obj, "status", "conditions") ?? []) as Obj[]
  if (list.length === 0) return
  d.w.write(0, "Conditions:\n  Type\tStatus\tReason\n")
  d.w.line(1, "----\t------\t------")
  for (const one of list)
    d.w.line(1, `${one["type"]} \t${one["status"]}\t${withReason ? (one["reason"] ?? "") : ""}`)
}

function withoutHash(template: Obj): Obj {
  const out = jsonClone(template) as Obj
  delete out["metadata"]?.labels?.["pod-template-hash"]
  return out
}

export async function describeDeployment(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.row(0, "CreationTimestamp", rfc1123(metadata["creationTimestamp"]))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Selector", formatLabelSelector(spec["selector"] as object))
  const count = (name: string): number => (status[name] ?? 0) as number
  w.row(
    0,
    "Replicas",
    `${spec["replicas"]} desired | ${count("updatedReplicas")} updated | ${count("replicas")} total | ${count("availableReplicas")} available | ${count("unavailableReplicas")} unavailable`,
  )
  w.row(0, "StrategyType", spec["strategy"].type)
  w.row(0, "MinReadySeconds", spec["minReadySeconds"] ?? 0)
  const rolling = spec["strategy"].rollingUpdate as Obj | undefined
  if (rolling)
    w.row(
      0,
      "RollingUpdateStrategy",
      `${rolling["maxUnavailable"]} max unavailable, ${rolling["maxSurge"]} max surge`,
    )
  describePodTemplate(w, spec["template"])
  conditions(d, obj)
  const sets = (await ownedBy(d.api, obj, "/apis/apps/v1/namespaces/{ns}/replicasets")).toSorted((a, b) =>
    String(at(a, "metadata", "creationTimestamp")) < String(at(b, "metadata", "creationTimestamp")) ? -1 : 1,
  )
  const wanted = withoutHash(spec["template"] as Obj)
  const current = sets.find((set) => jsonEqual(withoutHash(set["spec"].template as Obj), wanted))
  const old = sets.filter((set) => set !== current)
  if (sets.length > 0) {
    w.row(0, "OldReplicaSets", setsText(old))
    w.row(0, "NewReplicaSet", setsText(current ? [current] : []))
  }
  await d.events(obj)
}

function setsText(sets: readonly Obj[]): string {
  const texts = sets.map(
    (set) =>
      `${set["metadata"].name} (${at(set, "status", "replicas") ?? 0}/${at(set, "spec", "replicas") ?? 0} replicas created)`,
  )
  return texts.length > 0 ? texts.join(", ") : "<none>"
}

export async function describeReplicaSet(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.row(0, "Selector", formatLabelSelector(spec["selector"] as object))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  controlledBy(d, obj)
  w.row(0, "Replicas", `${status["replicas"] ?? 0} current / ${spec["replicas"] ?? 0} desired`)
  w.row(0, "Pods Status", await podStatus(d, obj))
  describePodTemplate(w, spec["template"])
  conditions(d, obj)
  await d.events(obj)
}

export async function describeReplicationController(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  const selector = (spec["selector"] ?? {}) as Record<string, string>
  w.row(
    0,
    "Selector",
    Object.keys(selector)
      .sort()
      .map((key) => `${key}=${selector[key]}`)
      .join(","),
  )
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Replicas", `${status["replicas"] ?? 0} current / ${spec["replicas"] ?? 0} desired`)
  w.row(0, "Pods Status", await podStatus(d, obj))
  describePodTemplate(w, spec["template"])
  conditions(d, obj)
  await d.events(obj)
}

export async function describeDaemonSet(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.row(0, "Selector", formatLabelSelector(spec["selector"] as object))
  w.row(0, "Node-Selector", labelsText(spec["template"].spec.nodeSelector))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.line(0, `Desired Number of Nodes Scheduled: ${status["desiredNumberScheduled"] ?? 0}`)
  w.line(0, `Current Number of Nodes Scheduled: ${status["currentNumberScheduled"] ?? 0}`)
  w.line(0, `Number of Nodes Scheduled with Up-to-date Pods: ${status["updatedNumberScheduled"] ?? 0}`)
  w.line(0, `Number of Nodes Scheduled with Available Pods: ${status["numberAvailable"] ?? 0}`)
  w.line(0, `Number of Nodes Misscheduled: ${status["numberMisscheduled"] ?? 0}`)
  w.row(0, "Pods Status", await podStatus(d, obj))
  describePodTemplate(w, spec["template"])
  await d.events(obj)
}

export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const keys = Object.keys(labels ?? {}).sort()
  return keys.length === 0 ? "<none>" : keys.map((key) => `${key}=${labels![key]}`).join(",")
}

export async function describeStatefulSet(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.row(0, "CreationTimestamp", rfc1123(metadata["creationTimestamp"]))
  w.row(0, "Selector", formatLabelSelector(spec["selector"] as object))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Service Name", spec["serviceName"] ?? "")
  w.row(0, "Pod Management Policy", spec["podManagementPolicy"] ?? "")
  w.row(0, "Replicas", `${spec["replicas"]} desired | ${status["replicas"] ?? 0} total`)
  w.row(0, "Update Strategy", spec["updateStrategy"].type)
  const partition = at(spec, "updateStrategy", "rollingUpdate", "partition")
  if (partition !== undefined) w.row(1, "Partition", partition)
  const unavailable = at(spec, "updateStrategy", "rollingUpdate", "maxUnavailable")
  if (unavailable !== undefined) w.row(1, "MaxUnavailable", unavailable)
  const retention = spec["persistentVolumeClaimRetentionPolicy"] as Obj | undefined
  if (retention) {
    w.line(0, "Persistent Volume Claim Retention Policy:")
    w.row(1, "WhenDeleted", retention["whenDeleted"])
    w.row(1, "WhenScaled", retention["whenScaled"])
  }
  w.row(0, "Pods Status", await podStatus(d, obj))
  describePodTemplate(w, spec["template"])
  describeClaims(d, (spec["volumeClaimTemplates"] ?? []) as Obj[])
  await d.events(obj)
}

function describeClaims(d: DescribeContext, claims: readonly Obj[]): void {
  const { w } = d
  if (claims.length === 0) return w.row(0, "Volume Claims", "<none>")
  w.line(0, "Volume Claims:")
  for (const claim of claims) {
    w.row(1, "Name", claim["metadata"].name)
    w.row(1, "StorageClass", at(claim, "spec", "storageClassName") ?? "")
    w.labels("Labels", claim["metadata"].labels, "  ", "\t")
    w.labels("Annotations", claim["metadata"].annotations, "  ", "\t")
    const capacity = at(claim, "spec", "resources", "requests", "storage")
    w.row(1, "Capacity", capacity ?? "<default>")
    w.row(1, "Access Modes", `[${((at(claim, "spec", "accessModes") ?? []) as string[]).join(" ")}]`)
  }
}
