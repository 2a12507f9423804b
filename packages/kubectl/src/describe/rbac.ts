/** `describe role|clusterrole|rolebinding|clusterrolebinding`. Mirrors: kubectl pkg/describe/describe.go */
import type { Obj } from "../object.ts"
import { goSlice, type DescribeContext } from "./writer.ts"

interface Rule {
  readonly resource: string
  readonly group: string
  readonly plural: string
  readonly urls: readonly string[]
  readonly names: readonly string[]
  readonly verbs: readonly string[]
}

/** Rules taken apart to one resource each, in the order of their texts. */
export function simpleRules(rules: readonly Obj[] | undefined): Rule[] {
  const out: Rule[] = []
  for (const rule of rules ?? []) {
    const verbs = (rule["verbs"] ?? []) as string[]
    const names = (rule["resourceNames"] ?? []) as string[]
    for (const group of (rule["apiGroups"] ?? []) as string[]) {
      for (const resource of (rule["resources"] ?? []) as string[]) {
        const [plural, ...sub] = resource.split("/")
        const full =
          group === "" ? resource : `${plural}.${group}${sub.length > 0 ? `/${sub.join("/")}` : ""}`
        for (const name of names.length > 0 ? names : [undefined]) {
          merge(out, {
            resource: full,
            group,
            plural: resource,
            urls: [],
            names: name === undefined ? [] : [name],
            verbs,
          })
        }
      }
    }
    // Those of paths stay as many as they are.
    for (const url of (rule["nonResourceURLs"] ?? []) as string[])
      for (const verb of verbs)
        out.push({ resource: "", group: "", plural: "", urls: [url], names: [], verbs: [verb] })
  }
  return out.toSorted((a, b) => (ruleOrder(a) < ruleOrder(b) ? -1 : 1))
}

function merge(out: Rule[], rule: Rule): void {
  const at = out.findIndex((one) => ruleKey(one) === ruleKey(rule))
  if (at < 0) out.push(rule)
  else out[at] = { ...out[at]!, verbs: [...new Set([...out[at]!.verbs, ...rule.verbs])] }
}

function ruleKey(rule: Rule): string {
  return `${rule.resource}|${rule.urls.join(",")}|${rule.names.join(",")}`
}

/** Upstream orders rules by their printed form. */
function ruleOrder(rule: Rule): string {
  return `${rule.verbs.join(" ")}] [${rule.group}] [${rule.plural}] [${rule.names.join(" ")}] [${rule.urls.join(" ")}]`
}

export function describeRole(d: DescribeContext, obj: Obj): void {
  const { w } = d
  w.row(0, "Name", obj["metadata"].name)
  w.labels("Labels", obj["metadata"].labels)
  w.annotations("Annotations", obj["metadata"].annotations)
  w.line(0, "PolicyRule:")
  w.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs")
  w.line(1, "---------\t-----------------\t--------------\t-----")
  for (const rule of simpleRules(obj["rules"])) {
    w.line(1, `${rule.resource}\t${goSlice(rule.urls)}\t${goSlice(rule.names)}\t${goSlice(rule.verbs)}`)
  }
}

export function describeRoleBinding(d: DescribeContext, obj: Obj): void {
  const { w } = d
  w.row(0, "Name", obj["metadata"].name)
  w.labels("Labels", obj["metadata"].labels)
  w.annotations("Annotations", obj["metadata"].annotations)
  w.line(0, "Role:")
  w.row(1, "Kind", obj["roleRef"].kind)
  w.row(1, "Name", obj["roleRef"].name)
  w.line(0, "Subjects:")
  w.line(1, "Kind\tName\tNamespace")
  w.line(1, "----\t----\t---------")
  for (const one of (obj["subjects"] ?? []) as Obj[]) {
    w.line(1, `${one["kind"]}\t${one["name"]}\t${one["namespace"] ?? ""}`)
  }
}
