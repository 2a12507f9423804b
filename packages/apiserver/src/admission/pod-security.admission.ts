/**
 * Holds pods to the security level that their namespace's labels name, and warns about workloads whose pods would
 * not pass. Mirrors: pod-security-admission admission
 */
import {
  cronJob,
  daemonSet,
  deployment,
  job,
  namespace,
  pod,
  podTemplate,
  replicaSet,
  replicationController,
  statefulSet,
} from "@knarr/api"
import type { Pod } from "@knarr/api"
import { semanticEqual, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { AdmissionPlugin } from "../contract.ts"
import { violations, type Level, type PodLike } from "./pod-security-checks.ts"
import { refusal } from "./refuse.ts"

const prefix = "pod-security.kubernetes.io/"
const workloads = new Set<Kind>([
  podTemplate,
  replicationController,
  replicaSet,
  deployment,
  daemonSet,
  statefulSet,
  job,
  cronJob,
])

interface Policy {
  readonly level: Level
  readonly version: string
}

function policyOf(labels: Readonly<Record<string, string>>, mode: "enforce" | "warn"): Policy {
  const level = labels[`${prefix}${mode}`]
  const version = labels[`${prefix}${mode}-version`] ?? "latest"
  // A level that nobody knows is taken for the strictest.
  const known =
    level === undefined ? "privileged" : level === "privileged" || level === "baseline" ? level : "restricted"
  return { level: known, version }
}

function describe(policy: Policy, target: PodLike): string | undefined {
  const found = violations(policy.level, target)
  if (found.length === 0) return undefined
  const parts = found.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`))
  return `PodSecurity ${JSON.stringify(`${policy.level}:${policy.version}`)}: ${parts.join(", ")}`
}

export const podSecurity: AdmissionPlugin = {
  name: "PodSecurity",
  enabledByDefault: true,
  create: ({ get }) => ({
    handles: (a) =>
      (a.operation === "CREATE" || a.operation === "UPDATE") &&
      ((a.kind === pod && (a.subresource === "" || a.subresource === "ephemeralcontainers")) ||
        (a.subresource === "" && workloads.has(a.kind))),
    validate(a) {
      const labels = get(namespace, { name: a.namespace })?.metadata.labels
      if (!labels) return
      const enforce = policyOf(labels, "enforce")
      const warn = policyOf(labels, "warn")
      if (enforce.level === "privileged" && warn.level === "privileged") return
      const target = a.kind === pod ? (a.object as Pod) : templateOf(a.object!)
      if (!target) return
      if (a.kind === pod) {
        if (a.operation === "UPDATE" && !significant(a.object as Pod, a.oldObject as Pod)) return
        const refused = describe(enforce, target)
        if (refused) throw refusal(a, `violates ${refused}`)
      }
      const warning = describe(warn, target)
      if (warning) a.warnings.push(`would violate ${warning}`)
    },
  }),
}

/** A change that is no reason to look again: what kubelet and scheduler may set, metadata. */
function significant(next: Readonly<Pod>, old: Readonly<Pod>): boolean {
  return !semanticEqual(next.spec, old.spec)
}

function templateOf(obj: KubeObject): PodLike | undefined {
  const { template, spec } = obj as {
    template?: PodLike
    spec?: { template?: PodLike; jobTemplate?: { spec?: { template?: PodLike } } }
  }
  const found = template ?? spec?.template ?? spec?.jobTemplate?.spec?.template
  return found?.spec ? found : undefined
}
