/** `describe networkpolicy`. Mirrors: kubectl pkg/describe/describe.go (describeNetworkPolicy) */
import { formatLabelSelector } from "@knarr/apimachinery"
import type { Obj } from "../object.ts"
import { rfc1123, type DescribeContext, type DescribeWriter } from "./writer.ts"

export function describeNetworkPolicy(d: DescribeContext, obj: Obj): void {
  const { w } = d
  const { metadata, spec } = obj as { metadata: Obj; spec: Obj }
  w.row(0, "Name", metadata["name"])
  w.row(0, "Namespace", metadata["namespace"])
  w.row(0, "Created on", goTime(metadata["creationTimestamp"] as string))
  w.labels("Labels", metadata["labels"])
  w.annotations("Annotations", metadata["annotations"])
  w.line(0, "Spec:")
  w.write(1, "PodSelector: ")
  const selector = (spec["podSelector"] ?? {}) as Obj
  const empty =
    Object.keys(selector["matchLabels"] ?? {}).length === 0 && !selector["matchExpressions"]?.length
  w.line(
    2,
    empty
      ? "<none> (Allowing the specific traffic to all pods in this namespace)"
      : formatLabelSelector(selector),
  )
  const types = (spec["policyTypes"] ?? []) as string[]
  if (types.includes("Ingress")) {
    w.line(1, "Allowing ingress traffic:")
    rules(w, (spec["ingress"] ?? []) as Obj[], "from", "From", "ingress")
  } else w.line(1, "Not affecting ingress traffic")
  if (types.includes("Egress")) {
    w.line(1, "Allowing egress traffic:")
    rules(w, (spec["egress"] ?? []) as Obj[], "to", "To", "egress")
  } else w.line(1, "Not affecting egress traffic")
  w.line(1, `Policy Types: ${types.join(", ")}`)
}

/** As Go prints a time: `2006-01-02 15:04:05 +0000 UTC`. */
function goTime(time: string): string {
  return rfc1123(time) ? `${time.replace("T", " ").replace("Z", "")} +0000 UTC` : ""
}

function rules(w: DescribeWriter, list: readonly Obj[], field: string, title: string, what: string): void {
  if (list.length === 0) {
    w.line(2, `<none> (Selected pods are isolated for ${what} connectivity)`)
    return
  }
  list.forEach((rule, i) => {
    const ports = (rule["ports"] ?? []) as Obj[]
    if (ports.length === 0) w.line(2, "To Port: <any> (traffic allowed to all ports)")
    for (const port of ports) {
      const { port: first = "<any>", endPort: last, protocol = "TCP" } = port
      w.line(
        2,
        last === undefined ? `To Port: ${first}/${protocol}` : `To Port Range: ${first}-${last}/${protocol}`,
      )
    }
    const peers = (rule[field] ?? []) as Obj[]
    if (peers.length === 0)
      w.line(2, `${title}: <any> (traffic not restricted by ${field === "from" ? "source" : "destination"})`)
    for (const peer of peers) {
      w.line(2, `${title}:`)
      const block = peer["ipBlock"] as Obj | undefined
      if (block) {
        w.line(3, "IPBlock:")
        w.line(4, `CIDR: ${block["cidr"]}`)
        w.line(4, `Except: ${((block["except"] ?? []) as string[]).join(", ")}`)
        continue
      }
      const namespaces = peer["namespaceSelector"] as Obj | undefined
      const pods = peer["podSelector"] as Obj | undefined
      if (namespaces) w.line(3, `NamespaceSelector: ${formatLabelSelector(namespaces)}`)
      if (pods) w.line(3, `PodSelector: ${formatLabelSelector(pods)}`)
    }
    if (i !== list.length - 1) w.line(2, "----------")
  })
}
