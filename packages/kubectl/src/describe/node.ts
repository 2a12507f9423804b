/** `describe node`. Mirrors: kubectl pkg/describe/describe.go (describeNode) */
import { parseQuantity, zeroQuantity, type Quantity } from "@knarr/apimachinery"
import { at, type Obj } from "../object.ts"
import { eventsOf, writeEvents } from "./events.ts"
import { rfc1123, type DescribeContext, type DescribeWriter } from "./writer.ts"

export async function describeNode(d: DescribeContext, node: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec = {}, status = {} } = node as { metadata: Obj; spec?: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Roles", roles(metadata["labels"] ?? {}))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "CreationTimestamp", rfc1123(metadata["creationTimestamp"]))
  taints(w, (spec["taints"] ?? []) as Obj[])
  w.row(0, "Unschedulable", spec["unschedulable"] === true)
  await describeLease(d, metadata["name"] as string)
  const conditions = (status["conditions"] ?? []) as Obj[]
  if (conditions.length > 0) {
    w.write(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n")
    w.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
    for (const one of conditions) {
      w.line(
        1,
        `${one["type"]} \t${one["status"]} \t${rfc1123(one["lastHeartbeatTime"])} \t${rfc1123(one["lastTransitionTime"])} \t${one["reason"] ?? ""} \t${one["message"] ?? ""}`,
      )
    }
  }
  w.line(0, "Addresses:")
  for (const one of (status["addresses"] ?? []) as Obj[]) w.row(1, one["type"] as string, one["address"])
  resourceList(w, "Capacity", status["capacity"])
  resourceList(w, "Allocatable", status["allocatable"])
  const info = (status["nodeInfo"] ?? {}) as Obj
  w.line(0, "System Info:")
  for (const [title, field] of infoRows) w.row(1, title, info[field] ?? "")
  if (spec["podCIDR"]) w.row(0, "PodCIDR", spec["podCIDR"])
  if (spec["podCIDRs"]?.length) w.row(0, "PodCIDRs", (spec["podCIDRs"] as string[]).join(","))
  if (spec["providerID"]) w.row(0, "ProviderID", spec["providerID"])
  await describePods(d, node)
  if (!d.showEvents) return
  // The kubelet and the node controller write different UIDs into their events.
  const name = metadata["name"] as string
  const events = await eventsOf(d.api, node)
  if (metadata["uid"] !== name)
    events.push(...(await eventsOf(d.api, { ...node, metadata: { ...metadata, uid: name } })))
  writeEvents(w, events)
}

const infoRows = [
  ["Machine ID", "machineID"],
  ["System UUID", "systemUUID"],
  ["Boot ID", "bootID"],
  ["Kernel Version", "kernelVersion"],
  ["OS Image", "osImage"],
  ["Operating System", "operatingSystem"],
  ["Architecture", "architecture"],
  ["Container Runtime Version", "containerRuntimeVersion"],
  ["Kubelet Version", "kubeletVersion"],
] as const

function roles(labels: Readonly<Record<string, string>>): string {
  const prefix = "node-role.kubernetes.io/"
  const out = new Set<string>()
  for (const key of Object.keys(labels)) {
    if (key.startsWith(prefix) && key.length > prefix.length) out.add(key.slice(prefix.length))
    else if (key === "kubernetes.io/role" && labels[key]) out.add(labels[key])
  }
  return out.size > 0 ? [...out].sort().join(",") : "<none>"
}

function taints(w: DescribeWriter, list: readonly Obj[]): void {
  w.write(0, "Taints:\t")
  if (list.length === 0) return w.line(0, "<none>")
  const texts = list
    .toSorted((a, b) => compareText(`${a["effect"]},${a["key"]}`, `${b["effect"]},${b["key"]}`))
    .map((one) => `${one["key"]}${one["value"] ? `=${one["value"]}` : ""}:${one["effect"]}`)
  texts.forEach((text, i) => w.line(0, `${i > 0 ? "\t" : ""}${text}`))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

async function describeLease(d: DescribeContext, name: string): Promise<void> {
  const { w } = d
  let lease: Obj | undefined
  try {
    lease = await d.api.get(
      `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${encodeURIComponent(name)}`,
    )
  } catch (thrown) {
    w.row(0, "Lease", `Failed to get lease: ${(thrown as Error).message}`)
    return
  }
  const spec = (lease["spec"] ?? {}) as Obj
  const time = (field: string): string => (spec[field] ? rfc1123(spec[field]) : "<unset>")
  w.line(0, "Lease:")
  w.row(1, "HolderIdentity", spec["holderIdentity"] ?? "<unset>")
  w.row(1, "AcquireTime", time("acquireTime"))
  w.row(1, "RenewTime", time("renewTime"))
}

function resourceList(w: DescribeWriter, title: string, list: Record<string, string> | undefined): void {
  if (!list || Object.keys(list).length === 0) return
  w.line(0, `${title}:`)
  for (const name of Object.keys(list).sort()) w.row(1, name, list[name])
}

interface Sums {
  readonly requests: Map<string, Quantity>
  readonly limits: Map<string, Quantity>
}

function sum(into: Map<string, Quantity>, list: Record<string, string> | undefined): void {
  for (const name in list) into.set(name, (into.get(name) ?? zeroQuantity).add(parseQuantity(list[name]!)))
}

function raise(into: Map<string, Quantity>, list: Map<string, Quantity>): void {
  for (const [name, value] of list) {
    const known = into.get(name)
    if (!known || known.compare(value) < 0) into.set(name, value)
  }
}

/** What a pod asks for: its containers together or its biggest init container, plus overhead. */
function podSums(pod: Obj): Sums {
  const out: Sums = { requests: new Map(), limits: new Map() }
  const spec = pod["spec"] as Obj
  for (const side of ["requests", "limits"] as const) {
    const own = new Map<string, Quantity>()
    for (const container of spec["containers"] as Obj[]) sum(own, container["resources"]?.[side])
    const sidecars = new Map<string, Quantity>()
    for (const container of (spec["initContainers"] ?? []) as Obj[]) {
      if (container["restartPolicy"] === "Always") {
        sum(own, container["resources"]?.[side])
        sum(sidecars, container["resources"]?.[side])
        raise(out[side], sidecars)
        continue
      }
      const one = new Map(sidecars)
      sum(one, container["resources"]?.[side])
      raise(out[side], one)
    }
    raise(out[side], own)
    for (const name in spec["overhead"] ?? {}) {
      if (side === "requests" || out.limits.has(name)) sum(out[side], { [name]: spec["overhead"][name] })
    }
    const podLevel = at(spec, "resources", side) as Record<string, string> | undefined
    for (const name in podLevel) out[side].set(name, parseQuantity(podLevel[name]!))
  }
  return out
}

async function describePods(d: DescribeContext, node: Obj): Promise<void> {
  const { w } = d
  const name = node["metadata"].name as string
  const fieldSelector = `spec.nodeName=${name},status.phase!=Succeeded,status.phase!=Failed`
  const list = await d.api.get("/api/v1/pods", { fieldSelector })
  const pods = (list["items"] ?? []) as Obj[]
  const allocatable = (at(node, "status", "allocatable") ?? at(node, "status", "capacity") ?? {}) as Record<
    string,
    string
  >
  const total = (resource: string): Quantity => parseQuantity(allocatable[resource] ?? "0")
  const percent = (value: Quantity, resource: string): number => {
    const whole = Number(total(resource).scaledValue(-3))
    return whole === 0 ? 0 : Math.trunc((Number(value.scaledValue(-3)) * 100) / whole)
  }
  w.line(0, `Non-terminated Pods:\t(${pods.length} in total)`)
  w.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge")
  w.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---")
  const all: Sums = { requests: new Map(), limits: new Map() }
  for (const pod of pods) {
    const sums = podSums(pod)
    const cell = (side: "requests" | "limits", resource: string): string => {
      const value = sums[side].get(resource) ?? zeroQuantity
      return `${value.toString()} (${percent(value, resource)}%)`
    }
    w.line(
      1,
      `${pod["metadata"].namespace}\t${pod["metadata"].name}\t\t${cell("requests", "cpu")}\t${cell("limits", "cpu")}\t${cell("requests", "memory")}\t${cell("limits", "memory")}\t${w.since(pod["metadata"].creationTimestamp)}`,
    )
    for (const side of ["requests", "limits"] as const) {
      for (const [resource, value] of sums[side])
        all[side].set(resource, (all[side].get(resource) ?? zeroQuantity).add(value))
    }
  }
  w.line(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)")
  w.line(1, "Resource\tRequests\tLimits")
  w.line(1, "--------\t--------\t------")
  const standard = ["cpu", "memory", "ephemeral-storage"]
  const extended = Object.keys(allocatable).filter((key) => !standard.includes(key) && key !== "pods")
  for (const resource of standard) {
    const requests = all.requests.get(resource) ?? zeroQuantity
    const limits = all.limits.get(resource) ?? zeroQuantity
    w.line(
      1,
      `${resource}\t${requests.toString()} (${percent(requests, resource)}%)\t${limits.toString()} (${percent(limits, resource)}%)`,
    )
  }
  for (const resource of extended.sort()) {
    const show = (side: "requests" | "limits"): string => {
      const value = (all[side].get(resource) ?? zeroQuantity).toString()
      return resource.startsWith("hugepages-")
        ? `${value} (${percent(all[side].get(resource) ?? zeroQuantity, resource)}%)`
        : value
    }
    w.line(1, `${resource}\t${show("requests")}\t${show("limits")}`)
  }
}
