/** Pod templates in descriptions. Mirrors: kubectl pkg/describe/describe.go (DescribePodTemplate) */
import type { Obj } from "../object.ts"
import { describeContainers } from "./containers.ts"
import { describeVolumes } from "./volumes.ts"
import { DescribeWriter } from "./writer.ts"

/** Writes `Pod Template:` and what is in it. */
export function describePodTemplate(w: DescribeWriter, template: Obj | undefined): void {
  w.line(0, "Pod Template:")
  if (!template) return w.line(1, "<unset>")
  const metadata = (template["metadata"] ?? {}) as Obj
  const spec = (template["spec"] ?? {}) as Obj
  w.labels("  Labels", metadata["labels"])
  if (Object.keys(metadata["annotations"] ?? {}).length > 0) {
    w.annotations("  Annotations", metadata["annotations"])
  }
  if (spec["serviceAccountName"]) w.line(0, `  Service Account:\t${spec["serviceAccountName"]}`)
  if (spec["initContainers"]?.length) {
    describeContainers(w, "Init Containers", spec["initContainers"], undefined, undefined, "  ")
  }
  describeContainers(w, "Containers", spec["containers"], undefined, undefined, "  ")
  describeVolumes(w, spec["volumes"], "  ")
  describeSpread(w, spec["topologySpreadConstraints"], "  ")
  if (spec["priorityClassName"]) w.line(0, `  Priority Class Name:\t${spec["priorityClassName"]}`)
  w.labels("Node-Selectors", spec["nodeSelector"], "  ")
  describeTolerations(w, spec["tolerations"], "  ")
}

/** The text of a template alone, for `rollout history --revision`. */
export function describeTemplateText(template: Obj): string {
  const w = new DescribeWriter(0, false)
  describePodTemplate(w, template)
  return w.text
}

/** `key=value:NoSchedule op=Exists for 300s` lines. */
export function describeTolerations(
  w: DescribeWriter,
  list: readonly Obj[] | undefined,
  indent: string,
): void {
  w.write(0, `${indent}Tolerations:\t`)
  if (!list?.length) return w.line(0, "<none>")
  const texts = list.map(tolerationText)
  texts.forEach((text, i) => w.line(0, `${i > 0 ? `${indent}\t` : ""}${text}`))
}

function tolerationText(one: Obj): string {
  let text = String(one["key"] ?? "")
  if (one["value"]) text += `=${one["value"]}`
  if (one["effect"]) text += `:${one["effect"]}`
  if (one["operator"] === "Exists" && !one["value"])
    text += one["key"] || one["effect"] ? " op=Exists" : "op=Exists"
  if (one["operator"] === "Lt" || one["operator"] === "Gt") text += ` op=${one["operator"]}`
  if (one["tolerationSeconds"] !== undefined) text += ` for ${one["tolerationSeconds"]}s`
  return text
}

export function describeSpread(w: DescribeWriter, list: readonly Obj[] | undefined, indent: string): void {
  if (!list?.length) return
  const sorted = list.toSorted((a, b) => (String(a["topologyKey"]) < String(b["topologyKey"]) ? -1 : 1))
  w.write(0, `${indent}Topology Spread Constraints:\t`)
  sorted.forEach((one, i) => {
    if (i > 0) w.write(0, `${indent}\t`)
    let text = `${one["topologyKey"]}:${one["whenUnsatisfiable"]} when max skew ${one["maxSkew"]} is exceeded`
    if (one["labelSelector"]) text += ` for selector ${selectorText(one["labelSelector"] as Obj)}`
    w.line(0, text)
  })
}

function selectorText(selector: Obj): string {
  const labels = (selector["matchLabels"] ?? {}) as Record<string, string>
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(",")
}
