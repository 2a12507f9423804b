/** `describe namespace|resourcequota|limitrange`. Mirrors: kubectl pkg/describe/describe.go */
import { tableOf } from "@knarr/base"
import { at, type Obj } from "../object.ts"
import { rfc1123, type DescribeContext, type DescribeWriter } from "./writer.ts"

export async function describeNamespace(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, status = {} } = obj as { metadata: Obj; status?: Obj }
  w.row(0, "Name", metadata["name"])
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.row(0, "Status", status["phase"])
  const conditions = (status["conditions"] ?? []) as Obj[]
  if (conditions.length > 0) {
    w.write(0, "Conditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage\n")
    w.line(1, "----\t------\t------------------\t------\t-------")
    for (const one of conditions) {
      w.line(
        1,
        `${one["type"]}\t${one["status"]}\t${rfc1123(one["lastTransitionTime"])}\t${one["reason"] ?? ""}\t${one["message"] ?? ""}`,
      )
    }
  }
  const base = `/api/v1/namespaces/${encodeURIComponent(metadata["name"] as string)}`
  const quotas = ((await d.api.get(`${base}/resourcequotas`))["items"] ?? []) as Obj[]
  w.write(0, "\n")
  if (quotas.length === 0) w.line(0, "No resource quota.")
  else {
    w.line(0, "Resource Quotas")
    for (const quota of quotas) {
      w.write(1, `Name:\t${quota["metadata"].name}\n`)
      scopes(w, quota)
      quotaTable(w, quota, 1, "--------\t---\t---")
    }
  }
  const ranges = ((await d.api.get(`${base}/limitranges`))["items"] ?? []) as Obj[]
  w.write(0, "\n")
  if (ranges.length === 0) w.line(0, "No LimitRange resource.")
  else {
    w.line(
      0,
      "Resource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio",
    )
    w.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
    for (const range of ranges) limitRows(w, range, " ")
  }
}

const scopeTexts: Readonly<Record<string, string>> = tableOf({
  Terminating:
    "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system.",
  NotTerminating:
    "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.",
  BestEffort:
    "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
  NotBestEffort:
    "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.",
})

function scopes(w: DescribeWriter, quota: Obj): void {
  const list = ((at(quota, "spec", "scopes") ?? []) as string[]).toSorted()
  if (list.length === 0) return
  w.row(0, "Scopes", list.join(", "))
  for (const scope of list) if (scopeTexts[scope]) w.line(0, ` * ${scopeTexts[scope]}`)
}

function quotaTable(w: DescribeWriter, quota: Obj, level: number, dashes: string): void {
  const hard = (at(quota, "status", "hard") ?? {}) as Record<string, string>
  const used = (at(quota, "status", "used") ?? {}) as Record<string, string>
  w.line(level, "Resource\tUsed\tHard")
  w.line(level, dashes)
  for (const name of Object.keys(hard).sort()) w.line(level, `${name}\t${used[name] ?? "0"}\t${hard[name]}`)
}

export function describeResourceQuota(d: DescribeContext, obj: Obj): void {
  const { w } = d
  w.row(0, "Name", obj["metadata"].name)
  w.row(0, "Namespace", obj["metadata"].namespace)
  scopes(w, obj)
  quotaTable(w, obj, 0, "--------\t----\t----")
}

export function describeLimitRange(d: DescribeContext, obj: Obj): void {
  const { w } = d
  w.row(0, "Name", obj["metadata"].name)
  w.row(0, "Namespace", obj["metadata"].namespace)
  w.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
  w.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
  limitRows(w, obj, "")
}

function limitRows(w: DescribeWriter, range: Obj, indent: string): void {
  for (const limit of (at(range, "spec", "limits") ?? []) as Record<string, Record<string, string>>[]) {
    const fields = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"]
    const names = new Set(fields.flatMap((field) => Object.keys(limit[field] ?? {})))
    for (const name of [...names].toSorted()) {
      const cells = fields.map((field) => limit[field]?.[name] ?? "-")
      w.line(0, `${indent}${limit["type"] as unknown as string}\t${name}\t${cells.join("\t")}`)
    }
  }
}
