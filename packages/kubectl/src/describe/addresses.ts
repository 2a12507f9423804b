/** `describe ipaddress|servicecidr`. Mirrors: kubectl pkg/describe/describe.go */
import type { Obj } from "../object.ts"
import { describeMeta, rfc1123, type DescribeContext } from "./writer.ts"

export async function describeIPAddress(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  describeMeta(d, obj, false)
  const parent = obj["spec"].parentRef as Obj | undefined
  if (parent) {
    w.line(0, "Parent Reference:")
    w.row(1, "Group", parent["group"] ?? "")
    w.row(1, "Resource", parent["resource"] ?? "")
    w.row(1, "Namespace", parent["namespace"] ?? "")
    w.row(1, "Name", parent["name"] ?? "")
  }
  await d.events(obj)
}

export async function describeServiceCIDR(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  describeMeta(d, obj, false)
  w.row(0, "CIDRs", ((obj["spec"].cidrs ?? []) as string[]).join(", "))
  const conditions = (obj["status"]?.conditions ?? []) as Obj[]
  if (conditions.length > 0) {
    w.line(0, "Status:")
    w.line(0, "Conditions:")
    w.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage")
    w.line(1, "----\t------\t------------------\t------\t-------")
    for (const one of conditions)
      w.line(
        1,
        `${one["type"]}\t${one["status"]}\t${rfc1123(one["lastTransitionTime"])}\t${one["reason"] ?? ""}\t${one["message"] ?? ""}`,
      )
  }
  await d.events(obj)
}
