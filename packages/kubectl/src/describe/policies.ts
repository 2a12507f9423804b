/** `describe priorityclass|poddisruptionbudget`. Mirrors: kubectl pkg/describe/describe.go */
import { formatLabelSelector } from "@knarr/apimachinery"
import type { Obj } from "../object.ts"
import type { DescribeContext } from "./writer.ts"

export async function describePriorityClass(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  w.row(0, "Name", obj["metadata"].name)
  w.row(0, "Value", obj["value"])
  w.row(0, "GlobalDefault", obj["globalDefault"] === true)
  w.row(0, "PreemptionPolicy", obj["preemptionPolicy"] ?? "<none>")
  w.row(0, "Description", obj["description"] ?? "")
  w.annotations("Annotations", obj["metadata"].annotations)
  await d.events(obj)
}

export async function describePdb(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  if (spec["minAvailable"] !== undefined) w.row(0, "Min available", spec["minAvailable"])
  else if (spec["maxUnavailable"] !== undefined) w.row(0, "Max unavailable", spec["maxUnavailable"])
  w.row(0, "Selector", spec["selector"] ? formatLabelSelector(spec["selector"] as object) : "<unset>")
  w.line(0, "Status:")
  w.row(0, "    Allowed disruptions", status["disruptionsAllowed"] ?? 0)
  w.row(0, "    Current", status["currentHealthy"] ?? 0)
  w.row(0, "    Desired", status["desiredHealthy"] ?? 0)
  w.row(0, "    Total", status["expectedPods"] ?? 0)
  await d.events(obj)
}
