/** `describe pod`. Mirrors: kubectl pkg/describe/describe.go (describePod) */
import { controllerOf } from "@knarr/apimachinery"
import { at, type Obj } from "../object.ts"
import { describeContainers, describeResources, describeSeccomp } from "./containers.ts"
import { describeSpread, describeTolerations } from "./pod-template.ts"
import { describeVolumes } from "./volumes.ts"
import { rfc1123, type DescribeContext } from "./writer.ts"

export async function describePod(d: DescribeContext, pod: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = pod as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  if (spec["priority"] !== undefined) w.row(0, "Priority", spec["priority"])
  if (spec["priorityClassName"]) w.row(0, "Priority Class Name", spec["priorityClassName"])
  if (spec["runtimeClassName"]) w.row(0, "Runtime Class Name", spec["runtimeClassName"])
  if (spec["serviceAccountName"]) w.row(0, "Service Account", spec["serviceAccountName"])
  w.row(0, "Node", spec["nodeName"] ? `${spec["nodeName"]}/${status["hostIP"] ?? ""}` : "<none>")
  if (status["startTime"]) w.row(0, "Start Time", rfc1123(status["startTime"]))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  if (metadata["deletionTimestamp"]) {
    w.row(0, "Status", `Terminating (lasts ${w.since(metadata["deletionTimestamp"])})`)
    w.row(0, "Termination Grace Period", `${metadata["deletionGracePeriodSeconds"]}s`)
  } else w.row(0, "Status", status["phase"] ?? "")
  if (status["reason"]) w.row(0, "Reason", status["reason"])
  if (status["message"]) w.row(0, "Message", status["message"])
  const seccomp = at(spec, "securityContext", "seccompProfile") as Obj | undefined
  if (seccomp) describeSeccomp(w, 0, seccomp)
  w.row(0, "IP", status["podIP"] ?? "")
  const ips = (status["podIPs"] ?? []) as Obj[]
  if (ips.length === 0) w.row(0, "IPs", "<none>")
  else {
    w.line(0, "IPs:")
    for (const one of ips) w.line(0, `  IP:\t${one["ip"]}`)
  }
  const controller = controllerOf(pod as { metadata: object })
  if (controller) w.row(0, "Controlled By", `${controller.kind}/${controller.name}`)
  if (status["nominatedNodeName"]) w.row(0, "NominatedNodeName", status["nominatedNodeName"])
  if (spec["resources"]) {
    w.line(0, "Resources:")
    describeResources(w, spec["resources"] as Obj, 1)
  }
  if (spec["initContainers"]?.length) {
    describeContainers(
      w,
      "Init Containers",
      spec["initContainers"],
      status["initContainerStatuses"] ?? [],
      pod,
      "",
    )
  }
  describeContainers(w, "Containers", spec["containers"], status["containerStatuses"] ?? [], pod, "")
  if (spec["ephemeralContainers"]?.length) {
    describeContainers(
      w,
      "Ephemeral Containers",
      spec["ephemeralContainers"],
      status["ephemeralContainerStatuses"] ?? [],
      pod,
      "",
    )
  }
  const conditions = (status["conditions"] ?? []) as Obj[]
  if (spec["readinessGates"]?.length) {
    w.write(0, "Readiness Gates:\n  Type\tStatus\n")
    for (const gate of spec["readinessGates"] as Obj[]) {
      const found = conditions.find((one) => one["type"] === gate["conditionType"])
      w.line(1, `${gate["conditionType"]} \t${found?.["status"] ?? "<none>"} `)
    }
  }
  if (conditions.length > 0) {
    w.write(0, "Conditions:\n  Type\tStatus\n")
    for (const one of conditions) w.line(1, `${one["type"]} \t${one["status"]} `)
  }
  describeVolumes(w, spec["volumes"], "")
  w.row(0, "QoS Class", status["qosClass"] ?? "")
  w.labels("Node-Selectors", spec["nodeSelector"])
  describeTolerations(w, spec["tolerations"], "")
  describeSpread(w, spec["topologySpreadConstraints"], "")
  await d.events(pod)
}
