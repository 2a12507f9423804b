/** `describe hpa`. Mirrors: kubectl pkg/describe/describe.go (describeHorizontalPodAutoscalerV2) */
import { at, type Obj } from "../object.ts"
import { describeMeta, rfc1123, type DescribeContext } from "./writer.ts"

export async function describeAutoscaler(d: DescribeContext, asked: Obj): Promise<void> {
  const { w } = d
  const obj = asked["apiVersion"] === "autoscaling/v2" ? asked : await inV2(d, asked)
  const { metadata, spec, status = {} } = obj as { metadata: Obj; spec: Obj; status?: Obj }
  describeMeta(d, obj)
  w.row(0, "CreationTimestamp", rfc1123(metadata["creationTimestamp"]))
  const target = spec["scaleTargetRef"] as Obj
  w.row(0, "Reference", `${target["kind"]}/${target["name"]}`)
  w.line(0, "Metrics:\t( current / target )")
  const current = (status["currentMetrics"] ?? []) as Obj[]
  ;((spec["metrics"] ?? []) as Obj[]).forEach((metric, i) => w.row(1, ...metricRow(metric, current[i])))
  w.row(0, "Min replicas", spec["minReplicas"] ?? "<unset>")
  w.row(0, "Max replicas", spec["maxReplicas"])
  behavior(d, spec["behavior"] as Obj | undefined)
  w.row(
    0,
    `${target["kind"]} pods`,
    `${status["currentReplicas"] ?? 0} current / ${status["desiredReplicas"] ?? 0} desired`,
  )
  const conditions = (status["conditions"] ?? []) as Obj[]
  if (conditions.length > 0) {
    w.line(0, "Conditions:")
    w.line(1, "Type\tStatus\tReason\tMessage")
    w.line(1, "----\t------\t------\t-------")
    for (const one of conditions)
      w.line(1, `${one["type"]}\t${one["status"]}\t${one["reason"] ?? ""}\t${one["message"] ?? ""}`)
  }
  await d.events(obj)
}

/** v1 says less. */
function inV2(d: DescribeContext, { metadata }: Obj): Promise<Obj> {
  const [namespace, name] = [metadata.namespace, metadata.name].map((one) =>
    encodeURIComponent(one as string),
  )
  return d.api.get(`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers/${name}`)
}

function metricRow(metric: Obj, now: Obj | undefined): [string, string] {
  const kind = String(metric["type"])
  const field = kind[0]!.toLowerCase() + kind.slice(1)
  const own = (metric[field] ?? {}) as Obj
  const seen = now?.[field] as Obj | undefined
  const value = (name: string): string => (at(seen, "current", name) as string | undefined) ?? "<unknown>"
  const target = own["target"] as Obj
  switch (kind) {
    case "Resource":
    case "ContainerResource": {
      const of = kind === "Resource" ? "pods" : `container ${JSON.stringify(own["container"])}`
      if (target["averageValue"] !== undefined) {
        return [`resource ${own["name"]} on ${of}`, `${value("averageValue")} / ${target["averageValue"]}`]
      }
      const percent = at(seen, "current", "averageUtilization")
      const shown = percent === undefined ? "<unknown>" : `${percent as number}% (${value("averageValue")})`
      const wanted =
        target["averageUtilization"] === undefined ? "<auto>" : `${target["averageUtilization"]}%`
      return [`resource ${own["name"]} on ${of}  (as a percentage of request)`, `${shown} / ${wanted}`]
    }
    case "Pods":
      return [
        `${JSON.stringify(own["metric"].name)} on pods`,
        `${value("averageValue")} / ${target["averageValue"]}`,
      ]
    case "Object": {
      const on = `${own["describedObject"].kind}/${own["describedObject"].name}`
      const average = target["type"] === "AverageValue"
      return [
        `${JSON.stringify(own["metric"].name)} on ${on} (target ${average ? "average value" : "value"})`,
        average
          ? `${value("averageValue")} / ${target["averageValue"]}`
          : `${value("value")} / ${target["value"]}`,
      ]
    }
    case "External": {
      const average = target["averageValue"] !== undefined
      return [
        `${JSON.stringify(own["metric"].name)} (target ${average ? "average value" : "value"})`,
        average
          ? `${value("averageValue")} / ${target["averageValue"]}`
          : `${value("value")} / ${target["value"]}`,
      ]
    }
    default:
      return [`<unknown metric type ${JSON.stringify(kind)}>`, ""]
  }
}

function behavior(d: DescribeContext, value: Obj | undefined): void {
  if (!value) return
  const { w } = d
  w.line(0, "Behavior:")
  for (const [title, field] of [
    ["Scale Up", "scaleUp"],
    ["Scale Down", "scaleDown"],
  ] as const) {
    const rules = value[field] as Obj | undefined
    if (!rules) continue
    w.line(1, `${title}:`)
    if (rules["stabilizationWindowSeconds"] !== undefined)
      w.row(2, "Stabilization Window", `${rules["stabilizationWindowSeconds"]} seconds`)
    if (!rules["policies"]?.length) continue
    w.row(2, "Select Policy", rules["selectPolicy"] ?? "Max")
    w.line(2, "Policies:")
    for (const one of rules["policies"] as Obj[]) {
      w.line(3, `- Type: ${one["type"]}\tValue: ${one["value"]}\tPeriod: ${one["periodSeconds"]} seconds`)
    }
  }
}
